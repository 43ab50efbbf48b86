# sslpolicy: TLS policies for roles and databases
#
#   make demo          see it work on a throw-away server
#   make test          every suite, on servers of its own
#   make bench         the figures of docs/figures.md
#   make test-matrix, test-assert, test-asan, test-valgrind, test-core,
#   test-faults, test-packages, test-clients, test-cluster, fuzz, lint
#                      what docs/development.md describes
#   make dist          an archive for PGXN
#   make, make install, make installcheck
#                      as usual for a PostgreSQL extension (PGXS)
#
# demo, test and bench install what is missing from the distribution's
# packages; DEPS=no skips that.

EXTENSION = sslpolicy
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(srcdir)/sslpolicy.control)
MODULE_big = sslpolicy
# The install script is put together from pieces, a subject each. Scripts that
# update from a version to another will lie here as files.
CREATE_SCRIPT = $(EXTENSION)--$(EXTVERSION).sql
SCRIPT_PIECES = start policies sessions explain ledger recheck material install cluster lint client about privileges
DATA_built = $(CREATE_SCRIPT)
DATA = $(notdir $(wildcard $(srcdir)/sslpolicy--*--*.sql))

# What a login runs lies together in the library, so that each new process touches
# few of its pages; the rest in the order of dependency, see docs/development.md.
SOURCES = enforce/auth session/collect session/ownaddress session/failedcert pki/x509 pki/knownca pki/distpoint pki/canonname material/handshake material/ownkeys material/tlscontext material/generation \
	policy/evaluate labels/applicable labels/exceptions labels/catalogscan labels/labels labels/clusterlabels labels/changes session/sessions session/largecerts session/storedfacts policy/facts labels/ownschema \
	policy/parser policy/policyvalue policy/policy policy/dnform base/escape base/fingerprint settings/settings cluster/orders \
	ledger/ledger ledger/newlogins ledger/recentlogins ledger/statistics ledger/rejections base/boundedtable base/wakeup revocation/revocation revocation/indexfile revocation/crlindex revocation/crlkey pki/der base/memory base/monotonic cluster/takereport base/preload \
	policy/patterncost policy/dn policy/policy_text settings/directory revocation/crlstate base/transaction base/sharedmem \
	sslpolicy enforce/worker enforce/concern enforce/commits enforce/pace material/autoreload \
	labels/setpolicy lint/lint lint/lintpolicies lint/linthba lint/lintmaterial lint/lintcas lint/lintserver lint/lintnodes lint/lintextension lint/survey lint/findings \
	sql/policies_sql sql/sessions_sql sql/explain_sql sql/ledger_sql sql/recheck_sql sql/material_sql sql/install_sql sql/installrows sql/cluster_sql \
	sql/lint_sql sql/client_sql sql/about_sql sql/arguments base/rows \
	advice/explain advice/preview enforce/recheck ledger/ended \
	advice/clientsettings advice/clienturls advice/clientbundle advice/clientplan advice/clientneeds advice/certrequest advice/clienttext advice/serverhost policy/report \
	install/install install/installca install/installcrl install/installserver install/rollback install/safereload install/trial \
	install/place install/replaceable install/target install/newtrust material/reload install/cabound install/reach install/hbalines install/affected install/objection install/consent install/replicated install/history material/configuration \
	material/serverca material/probe material/anchors material/keymask material/leftovers \
	cluster/setmaterial cluster/materiallabels cluster/apply cluster/applier cluster/node cluster/nodes cluster/reporttext cluster/sendreport cluster/watch session/walsenders \
	ledger/mailbox \
	ledger/tablefile \
	revocation/crlbuild revocation/crlchoice revocation/crlsources revocation/crlcopies revocation/serials \
	material/clientcert material/material material/identity material/serverkey material/trust \
	base/files base/privatekeys base/logline base/told base/workersettings \
	base/datums base/privileged policy/dnpattern policy/matcher \
	policy/checktext revocation/crlindexwrite revocation/crlreader revocation/crlstream pki/chain pki/crl pki/pem pki/givenpem pki/pemtext pki/derkind
OBJS = $(SOURCES:%=src/%.o)

# -MMD -MP: which headers an object is made of, for the next make
PG_CFLAGS = -Wextra -Wno-unused-parameter -MMD -MP
PG_CPPFLAGS = -DSSLPOLICY_VERSION='"$(EXTVERSION)"' -I$(srcdir)/src
# All else stays inside: modules are loaded globally, so that one may otherwise
# call a function of another that has the same name.
SHLIB_EXPORTS = src/exports.txt
SHLIB_LINK = -lssl -lcrypto

# regression tests: all but "not_preloaded" want the library preloaded
REGRESS = check_policy set_policy label audit privileges policies settings connection
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

# for monitoring and audits, installed into share/sslpolicy
SHARED_FILES = metrics/queries.yaml metrics/alerts.yaml metrics/dashboard.json report/audit.sql

# documentation, installed with its folders into doc/sslpolicy
DOC_PAGES = README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE $(patsubst $(srcdir)/%,%,$(sort \
	$(wildcard $(srcdir)/docs/*.md $(srcdir)/docs/*.svg $(srcdir)/docs/how-to/*.md)))

EXTRA_CLEAN = build $(OBJS:.o=.d)

srcdir = $(if $(VPATH),$(VPATH),.)

# These need no PostgreSQL yet: they install it.
OWN_GOALS = demo test bench dist format fuzz lint \
	test-matrix test-assert test-asan test-valgrind test-core test-faults \
	test-packages test-clients test-cluster
ifneq (,$(filter-out $(OWN_GOALS),$(or $(MAKECMDGOALS),all)))
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq (,$(PGXS))
$(error pg_config not found: install PostgreSQL's server headers (Debian: postgresql-server-dev-NN), or set PG_CONFIG)
endif
include $(PGXS)
PROVE_FLAGS += -I $(srcdir)/test/lib

# what flags and the version come from, and the headers
$(OBJS): $(srcdir)/Makefile $(srcdir)/$(EXTENSION).control
-include $(wildcard $(OBJS:.o=.d))

# in a build elsewhere (VPATH)
.PHONY: object-folders
$(OBJS) $(OBJS:.o=.bc) $(SHLIB_EXPORTS:.txt=.list): | object-folders
object-folders:
	@$(MKDIR_P) $(sort $(dir $(OBJS)))

.PHONY: install-shared-files uninstall-shared-files
install: install-shared-files
uninstall: uninstall-shared-files
install-shared-files:
	$(MKDIR_P) '$(DESTDIR)$(datadir)/$(EXTENSION)'
	$(INSTALL_DATA) $(addprefix $(srcdir)/,$(SHARED_FILES)) '$(DESTDIR)$(datadir)/$(EXTENSION)/'
uninstall-shared-files:
	rm -f $(addprefix '$(DESTDIR)$(datadir)/$(EXTENSION)'/,$(notdir $(SHARED_FILES)))
	rmdir '$(DESTDIR)$(datadir)/$(EXTENSION)' || true

# not by DOCS, which would put the pages of all extensions into one folder
.PHONY: install-docs uninstall-docs
install: install-docs
uninstall: uninstall-docs
install-docs:
ifneq (,$(docdir))
	$(MKDIR_P) '$(DESTDIR)$(docdir)/$(EXTENSION)/docs/how-to'
	for p in $(DOC_PAGES); do \
		$(INSTALL_DATA) '$(srcdir)'/$$p '$(DESTDIR)$(docdir)/$(EXTENSION)/'$$p || exit; \
	done
endif
uninstall-docs:
ifneq (,$(docdir))
	rm -f $(addprefix '$(DESTDIR)$(docdir)/$(EXTENSION)'/,$(DOC_PAGES))
	cd '$(DESTDIR)$(docdir)' && rmdir $(EXTENSION)/docs/how-to $(EXTENSION)/docs $(EXTENSION) || true
endif
endif

.DELETE_ON_ERROR:
$(CREATE_SCRIPT): $(SCRIPT_PIECES:%=$(srcdir)/extension/%.sql) $(srcdir)/Makefile
	{ echo '/* $@ */'; for p in $(SCRIPT_PIECES); do echo; cat $(srcdir)/extension/$$p.sql; done; } >$@

.PHONY: $(OWN_GOALS)
demo:
	@bash $(srcdir)/test/demo.sh
test:
	@bash $(srcdir)/test/run.sh
bench:
	@bash $(srcdir)/test/bench/count.sh
	@bash $(srcdir)/test/bench/run.sh
	@bash $(srcdir)/test/bench/grows.sh
	@bash $(srcdir)/test/bench/material.sh
	@bash $(srcdir)/test/bench/revocation.sh
	@bash $(srcdir)/test/bench/desk.sh
	@bash $(srcdir)/test/bench/desk_lint.sh
	@bash $(srcdir)/test/bench/cluster.sh
# every supported PostgreSQL, each in a chroot
test-matrix:
	@bash $(srcdir)/test/matrix/run.sh
# a PostgreSQL built with assertions
test-assert:
	@bash $(srcdir)/test/assert/run.sh
# AddressSanitizer and UndefinedBehaviorSanitizer
test-asan:
	@bash $(srcdir)/test/asan/run.sh
test-valgrind:
	@bash $(srcdir)/test/valgrind/run.sh
# PostgreSQL's own suites with sslpolicy preloaded
test-core:
	@bash $(srcdir)/test/core/run.sh
# kill -9, storms, standbys, upgrades
test-faults:
	@bash $(srcdir)/test/faults/run.sh
fuzz:
	@bash $(srcdir)/test/fuzz/run.sh
lint:
	@bash $(srcdir)/test/lint/run.sh
# as make lint wants the C files
format:
	@perl $(srcdir)/tools/format.pl $(srcdir)/src/*.c $(srcdir)/src/*/*.[ch] $(srcdir)/test/*/*.[ch]
# the archive, PGXS's targets, Debian's packages, lintian, installed in chroots
test-packages:
	@bash $(srcdir)/test/packages/run.sh
# real third-party clients: what they show, what they are told to set, pools
test-clients:
	@bash $(srcdir)/test/clients/run.sh
# three nodes under Patroni: failover, switchover, nodes that come back
test-cluster:
	@bash $(srcdir)/test/cluster/run.sh
dist:
	@bash $(srcdir)/tools/dist.sh
