# Runs a page of docs/how-to, block by block, on a server of its own.
#
# A page is Markdown for a reader.  What is run is what the reader would run:
#
#	```sql    by psql, as the DBA (superuser, Unix socket)
#	```sh     by bash, in the folder of the certificates
#	```conf   lines of the file that the first line names: "# pg_hba.conf"
#	          replaces the lines of that file, "# postgresql.conf" is appended,
#	          any other name is written as a file into the folder
#	```text   what the block before it prints.  "…" stands for any text, white
#	          space and the widths of columns do not matter
#
# Comments of HTML, which the reader does not see, say the rest:
#
#	<!-- test: WORDS -->   about the next block, one or more of
#	    fails              it ends with an error
#	    as NAME            the sql runs as this role
#	    on HOST            on this server
#	    skip               it is not run
#	<!-- test server       before everything else: options of the server
#	ssl=off preload= address=::1
#	-->
#	<!-- test programs     what it needs beside PostgreSQL and OpenSSL
#	pgbouncer
#	-->
#	<!-- test certs        what the reader has already: a certificate or CRL a
#	client app subject=/CN=app       line, see certs()
#	-->
#	<!-- test standby      a streaming standby of this name, not started ...
#	db2.example.com
#	-->
#	<!-- test start        ... and started
#	db2.example.com
#	-->
#	<!-- test another      a server beside the first, with nothing in it
#	db2.example.com
#	-->
#	<!-- test LANGUAGE     a block as above, hidden: what a sentence states, or
#	...                    what the reader's server has already
#	-->
#
# In sh, "let_in CONNINFO" and "refused CONNINFO REASON" check a login, "stay
# CONNINFO" leaves a session open, and "wait_for CONDITION" waits until SQL says
# true.
#
# Pages say db.example.com, port 5432, /etc/postgresql/pki, and
# /var/lib/postgresql/data; substitute() makes real places of them.
package SSLPolicy::HowTo;

use strict;
use warnings;
use utf8;
use Encode qw(decode_utf8 encode_utf8);
use File::Basename qw(basename);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Text::ParseWords qw(shellwords);
use SSLPolicy::Certs;
use SSLPolicy::Crls qw(make_crl write_file);

# Pages that are about more than one server, or end servers: a file of tests of
# their own, so that none takes long.
our @CLUSTER = map { "docs/how-to/$_.md" } qw(locked-out managed poolers revoke-on-every-node rotate-ca-of-a-cluster standbys upgrade);

my $HOST = 'db.example.com';
my $PKI = '/etc/postgresql/pki';
my $DATA = '/var/lib/postgresql/data';
my $LOG = '/var/log/postgresql/postgresql.log';

# Things of sh that stand for what the reader does by eye.
my $PRELUDE = <<'SH';
set -euo pipefail
let_in() { psql -XqAt "$1" -c 'SELECT 1' >/dev/null; }
refused() {
    local said
    if said=$(psql -XqAt "$1" -c 'SELECT 1' 2>&1); then
        echo "let in: $1"; return 1
    fi
    grep -q -- "$2" <<<"$said" || { printf '%s\nis not: %s\n' "$said" "$2"; return 1; }
}
stay() {
    local name=stay$RANDOM$RANDOM
    PGAPPNAME=$name psql -XqAt "$1" -c 'SELECT pg_sleep(600)' </dev/null >/dev/null 2>&1 &
    wait_for "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '$name')"
}
wait_for() {
    for _ in $(seq 600); do
        [ "$(psql -XqAt -c "SELECT $1")" != t ] || return 0
        sleep 0.1
    done
    echo "never true: $1"; return 1
}
pg_ctl() { command pg_ctl -s -l "$SERVER_LOG" "$@"; }
SH

# Run pages, a subtest each.  HOWTO="rotate locked" in the environment runs only
# those whose names contain one of these words.
sub run_pages
{
	my @pages = @_;
	if (my @wanted = split ' ', $ENV{HOWTO} // '')
	{
		@pages = grep { my $page = $_; grep { $page =~ /\Q$_\E/ } @wanted } @pages;
		plan(skip_all => 'none of these pages') unless @pages;
	}
	for my $file (@pages)
	{
		subtest basename($file) => sub {
			my $page = SSLPolicy::HowTo->new($file);
			eval { $page->run; 1 } or fail("the page can be run: $@");
			$page->finish;
			done_testing();
		};
	}
	return;
}

# The blocks of a page, in order: hashrefs of kind, text, line, words.
sub parse
{
	my ($file) = @_;
	my @lines = split /\n/, decode_utf8(slurp_file($file));
	my (@blocks, $words, $block, $end);

	for my $i (0 .. $#lines)
	{
		my $line = $lines[$i];
		if ($block)
		{
			if ($line =~ $end)
			{
				push @blocks, $block;
				undef $block;
			}
			else
			{
				$block->{text} .= "$line\n";
			}
		}
		elsif ($line =~ /^<!-- test: (.*?) *-->$/)
		{
			$words = $1;
		}
		elsif ($line =~ /^(<!-- test |```)(\w*)$/)
		{
			$block = { kind => $2, text => '', line => $i + 1, words => $words // '' };
			$end = $1 eq '```' ? qr/^```$/ : qr/^-->$/;
			undef $words;
		}
		elsif ($line =~ /^<!-- test|^ *```/)
		{
			die sprintf "%s:%d: not understood: %s\n", $file, $i + 1, $line;
		}
	}
	die "$file: the last block does not end\n" if $block;
	return @blocks;
}

# new(file): a page that is to be run.
my ($pages, $template) = (0);

sub new
{
	my ($class, $file) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir('howto');
	my $self = bless {
		file => $file,
		dir => "$dir/pki",
		address => '127.0.0.1',
		nodes => {},
		options => {},
	}, $class;
	$self->{certs} = SSLPolicy::Certs->new(dir => $self->{dir});
	$self->{certs}->ca('ca', subject => '/CN=Example CA/O=Example');
	$self->{certs}->server('server', issuer => 'ca', subject => "/CN=$HOST",
		san => [ map { "dns:$_" } $HOST, 'db2.example.com', 'localhost' ]);
	return $self;
}

# A server of its own.  To spare the time of initdb, a copy of one that was
# made once.
sub node
{
	my ($self, $host) = @_;
	$host //= $HOST;
	return $self->{nodes}{$host} if $self->{nodes}{$host};
	die "no server $host\n" if $host ne $HOST;

	my $node = $self->copy_of_template('howto' . ++$pages);
	my %opt = (preload => 'sslpolicy', ssl => 'on', %{ $self->{options} });
	$self->{address} = $opt{address} if $opt{address};
	my $dir = $self->{dir};
	$node->append_conf('postgresql.conf', <<"CONF");
listen_addresses = '127.0.0.1,::1'
shared_preload_libraries = '$opt{preload}'
ssl = $opt{ssl}
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
ssl_ca_file = '$dir/ca.crt'
log_line_prefix = '%m [%p] '
log_min_messages = info
log_statement = none
log_replication_commands = off
password_encryption = 'scram-sha-256'
CONF
	$self->{nodes}{$HOST} = $node;
	$self->hba("host all all all trust\nhost replication all all trust\n");
	$node->start;
	return $node;
}

sub copy_of_template
{
	my ($self, $name) = @_;
	if (!$template)
	{
		$template = PostgreSQL::Test::Cluster->new('howto_template');
		$template->init(allows_streaming => 1);
	}
	my $node = PostgreSQL::Test::Cluster->new($name);
	mkdir $_ for $node->basedir, $node->backup_dir, $node->archive_dir;
	system('cp', '-a', $template->data_dir, $node->data_dir) == 0 or die 'cp failed';
	$node->append_conf('postgresql.conf', <<"CONF");
port = @{[ $node->port ]}
unix_socket_directories = '@{[ $node->host ]}'
CONF
	return $node;
}

sub hba
{
	my ($self, $lines) = @_;
	write_file($self->node->data_dir . '/pg_hba.conf',
		($lines =~ /^local/m ? '' : "local all all trust\nlocal replication all trust\n"), $lines);
	return;
}

sub another
{
	my ($self, $host) = @_;
	my $node = $self->copy_of_template('howto' . ++$pages);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sslpolicy'");
	$node->start;
	$self->{nodes}{$host} = $node;
	return;
}

sub standby
{
	my ($self, $host) = @_;
	my $primary = $self->node;
	my $node = PostgreSQL::Test::Cluster->new($primary->name . '_' . ($host =~ s/\W.*//r));
	$primary->backup('b');
	$node->init_from_backup($primary, 'b', has_streaming => 1);
	$self->{nodes}{$host} = $node;
	return;
}

# Lines such as
#	ca new-ca subject="/CN=New CA"
#	client app issuer=ca subject=/CN=app san=uri:spiffe://x days=1
#	bundle both.crt ca new-ca
#	crl ca.crl issuer=ca number=1 revoked=app,etl
sub certs
{
	my ($self, $lines) = @_;
	for my $line (split /\n/, $lines)
	{
		my ($kind, $name, @rest) = shellwords($line) or next;
		my %opt = map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } @rest;
		if ($kind eq 'bundle')
		{
			$self->{certs}->bundle($name, @rest);
		}
		elsif ($kind eq 'crl')
		{
			write_file("$self->{dir}/$name", make_crl($self->{certs}, $opt{issuer}, $opt{number},
					revoked => [ split /,/, $opt{revoked} // '' ]));
		}
		else
		{
			$opt{issuer} //= 'ca' if $kind ne 'ca';
			# a CA back-dates a little
			@opt{qw(not_before not_after)} = (time - 60, time - 60 + 3600 * delete $opt{hours})
			  if $opt{hours};
			$opt{san} = [ split /,/, $opt{san} ] if exists $opt{san};
			$self->{certs}->$kind($name, %opt);
		}
	}
	return;
}

# From the page's places to ours, and back.
sub substitute
{
	my ($self, $text) = @_;
	my %nodes = %{ $self->{nodes} };
	for my $host (keys %nodes)
	{
		my $port = $nodes{$host}->port;
		$text =~ s/\bhost=\Q$host\E/host=$host hostaddr=$self->{address} port=$port/g;
	}
	$text =~ s/\b6432\b/$self->{pooler_port} \/\/= PostgreSQL::Test::Cluster::get_free_port()/ge;
	$text =~ s/\bport=5432\b/'port=' . $self->node->port/ge;
	$text =~ s/\Q$PKI\E/$self->{dir}/g;
	$text =~ s/\Q$DATA\E/$self->node->data_dir/ge;
	$text =~ s/\Q$LOG\E/$self->node->logfile/ge;
	return $text;
}

sub restore
{
	my ($self, $text) = @_;
	$text =~ s/\Q$self->{dir}\E/$PKI/g;
	$text =~ s/\Q@{[ $self->node->data_dir ]}\E/$DATA/g;
	$text =~ s/\b\Q@{[ $_->port ]}\E\b/5432/g for values %{ $self->{nodes} };
	return $text;
}

# The regular expression of what a block should print.
sub pattern
{
	my ($text) = @_;
	my $regex = quotemeta normalize($text);
	$regex =~ s/\\?…/.*/g;
	return qr/\A$regex\z/s;
}

sub normalize
{
	my ($text) = @_;
	$text =~ s/-{2,}/--/g;
	$text =~ s/\h+/ /g;
	$text =~ s/ ?\n ?/\n/g;
	$text =~ s/\n{2,}/\n/g;
	return $text =~ s/^\s+|\s+$//gr;
}

# Run a command with the text as its input; returns whether it succeeded, and
# what it said.
sub command
{
	my ($self, $node, $text, @command) = @_;
	my $out = '';
	local %ENV = %ENV;
	delete @ENV{ grep { /^PG(?!_REGRESS|_CONFIG)/ } keys %ENV };
	@ENV{qw(PGHOST PGPORT PGDATABASE PGPASSWORD PGCLIENTENCODING PGCONNECT_TIMEOUT HOME SERVER_LOG)} = (
		$node->host, $node->port, 'postgres', 'secret', 'UTF8', 60, $self->{dir}, $node->logfile);
	my $ok = IPC::Run::run([@command], '<', \encode_utf8($text), '>&', \$out,
		init => sub { chdir $self->{dir} });
	return ($ok, decode_utf8($out));
}

sub run_sql
{
	my ($self, $block) = @_;
	my $node = $self->node($block->{words} =~ /\bon (\S+)/ ? $1 : undef);
	my @as = $block->{words} =~ /\bas (\S+)/ ? ('-U', $1) : ();
	return $self->command($node, $self->substitute($block->{text}),
		'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-P', 'pager=off', @as);
}

sub run_sh
{
	my ($self, $block) = @_;
	my $node = $self->node($block->{words} =~ /\bon (\S+)/ ? $1 : undef);
	my ($ok, $out) = $self->command($node, $PRELUDE . $self->substitute($block->{text}), 'bash', '-s');
	$_->_update_pid(-1) for values %{ $self->{nodes} };    # it may have been restarted
	return ($ok, $out);
}

sub run_conf
{
	my ($self, $block) = @_;
	my ($name) = $block->{text} =~ /^# ([\w.]+)/
	  or die "$self->{file}:$block->{line}: the first line does not name a file\n";
	my $node = $self->node($block->{words} =~ /\bon (\S+)/ ? $1 : undef);
	my $text = $self->substitute($block->{text});
	# PgBouncer has no hostaddr
	$text =~ s/host=\S+ hostaddr=\S+ port=\d+/host=localhost/g if $name =~ /\.ini$/;
	if ($name eq 'pg_hba.conf') { $self->hba($text) }
	elsif ($name eq 'postgresql.conf') { $node->append_conf($name, encode_utf8($text)) }
	else { write_file("$self->{dir}/$name", encode_utf8($text)) }
	return (1, '');
}

# Run the page, with a test for each block.
sub run
{
	my ($self) = @_;
	my $out;    # of the block before
	for my $block (parse($self->{file}))
	{
		my ($kind, $words) = @$block{qw(kind words)};
		my $name = "line $block->{line}, $kind";
		if ($kind eq 'text')
		{
			my $said = defined $out ? $self->restore($out) : 'nothing was run before';
			ok(normalize($said) =~ pattern($block->{text}), "$name: as the page says")
			  or diag("The page says:\n$block->{text}It was:\n$said");
		}
		elsif ($kind eq 'server') { $self->{options} = { map { split /=/, $_, 2 } split ' ', $block->{text} } }
		elsif ($kind eq 'programs')
		{
			my @missing = grep { my $p = $_; !grep { -x "$_/$p" } split /:/, $ENV{PATH} } split ' ', $block->{text};
			plan(skip_all => "not installed: @missing") if @missing && ($ENV{DEPS} // '') eq 'no';
		}
		elsif ($kind eq 'certs') { $self->certs($block->{text}) }
		elsif ($kind eq 'standby') { $self->standby($_) for split ' ', $block->{text} }
		elsif ($kind eq 'another') { $self->another($_) for split ' ', $block->{text} }
		elsif ($kind eq 'start') { $self->node($_)->start for split ' ', $block->{text} }
		elsif ($words =~ /\bskip\b/) { undef $out }
		elsif (my $method = $self->can("run_$kind"))
		{
			my $ok;
			($ok, $out) = $self->$method($block);
			my $fails = $words =~ /\bfails\b/;
			ok($fails ? !$ok : $ok, $name . ($fails ? ' fails' : '')) or diag($out);
			last if !$ok != !!$fails;    # what follows builds on it
		}
		else
		{
			fail("$name: this language is not known");
		}
	}
	return;
}

# Stop the servers, standbys first.
sub finish
{
	my ($self) = @_;
	for my $file (glob "$self->{dir}/*.pid")    # what the page has left running
	{
		kill 'TERM', slurp_file($file) =~ /^(\d+)/;
	}
	for my $host (sort { ($a eq $HOST) <=> ($b eq $HOST) } keys %{ $self->{nodes} })
	{
		my $node = $self->{nodes}{$host};
		$node->stop('immediate') if -e $node->data_dir . '/postmaster.pid';
		$node->clean_node;
	}
	return;
}

1;
