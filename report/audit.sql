-- An audit report of sslpolicy: one HTML page that needs nothing else.
--
--     psql -XqAt -f audit.sql > audit.html
--
-- For superusers and members of pg_monitor, in a database that has the
-- extension; works on standbys too, and writes nothing.  Text from the database
-- is escaped in one place, :esc … :end below: role names, certificates and what
-- clients have sent cannot become markup.

\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\encoding UTF8

BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL standard_conforming_strings = on;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'sslpolicy') THEN
        RAISE EXCEPTION 'extension "sslpolicy" is not installed in database "%"', current_database()
            USING ERRCODE = 'undefined_object',
                  HINT = 'Run CREATE EXTENSION sslpolicy, or connect to a database that has it.';
    ELSIF NOT has_table_privilege('sslpolicy.rejections', 'SELECT') THEN
        RAISE EXCEPTION 'role "%" may not see what the report shows', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Grant it pg_monitor.';
    END IF;
END $$;

-- What is not for this caller is left out, and the page says so.
SELECT COALESCE(has_function_privilege(to_regprocedure('sslpolicy.effective_policy(regrole,name,inet)'), 'EXECUTE'), false) AS has_effective \gset
SELECT count(*) > 2 OR COALESCE(bool_or(state <> 'local'), false) AS has_nodes FROM sslpolicy.nodes \gset

-- Rows a table has at most, and lines of the picture of expiries
\set max_rows 500
\set max_lines 40

-- The macros.  psql puts their text in place of :name, also inside each other.
--   :esc x :end        text x as HTML, in elements and in attributes
--   :time x :end_time  a point in time as text
--   :table … :end_table
--       a table, from a query without SELECT that has n (position, from 1),
--       cells text[] and classes text[] (constants, NULL for none); before it,
--       set head (its header, as HTML) and empty (what to say without rows)
SELECT $macro$replace(replace(replace(replace(replace(($macro$ AS esc,
       $macro$)::text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')$macro$ AS "end",
       $macro$to_char($macro$ AS "time",
       $macro$, 'YYYY-MM-DD HH24:MI:SS')$macro$ AS end_time,
       $macro$
SELECT CASE WHEN count(*) = 0 THEN '<p class="empty">' || :'empty' || '</p>'
            ELSE '<div class="wide"><table>' || E'\n<thead><tr>' || :'head' || E'</tr></thead>\n<tbody>\n'
                 || string_agg(tr, E'\n' ORDER BY n) FILTER (WHERE n <= :max_rows)
                 || E'\n</tbody></table></div>'
                 || CASE WHEN count(*) > :max_rows
                         THEN '<p class="more">' || count(*) - :max_rows || ' more rows are left out.</p>'
                         ELSE '' END
       END
  FROM (SELECT q.n,
               '<tr>' || (SELECT string_agg(CASE WHEN i = 1 THEN '<th scope="row">' ELSE '<td>' END
                                            || CASE WHEN q.classes[i] IS NULL THEN '' ELSE '<span class="' || q.classes[i] || '">' END
                                            || COALESCE(NULLIF(:esc c :end, ''), '<span class="none">–</span>')
                                            || CASE WHEN q.classes[i] IS NULL THEN '' ELSE '</span>' END
                                            || CASE WHEN i = 1 THEN '</th>' ELSE '</td>' END, '' ORDER BY i)
                            FROM unnest(q.cells) WITH ORDINALITY AS u(c, i)
                           WHERE q.n <= :max_rows) || '</tr>' AS tr
          FROM (SELECT $macro$ AS "table",
       $macro$) q) t$macro$ AS end_table
\gset

\qecho '<!DOCTYPE html>'
\qecho '<html lang="en">'
\qecho '<head>'
\qecho '<meta charset="utf-8">'
\qecho '<meta name="viewport" content="width=device-width, initial-scale=1">'
\qecho '<meta name="color-scheme" content="light dark">'
\qecho '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; img-src data:">'
\qecho '<link rel="icon" href="data:,">'
SELECT '<title>TLS audit of ' || :esc COALESCE(NULLIF(current_setting('cluster_name'), ''), host(inet_server_addr()) || ':' || inet_server_port(), 'port ' || current_setting('port')) :end
       || ', ' || to_char(now(), 'YYYY-MM-DD') || '</title>';
SELECT $css$<style>
:root { --bg: #ffffff; --fg: #1c2430; --dim: #5b6675; --line: #d5dbe3; --soft: #f3f5f8;
        --good: #1a7f4b; --warn: #9a5b00; --bad: #b3261e; --calm: #2f62ad;
        --bar-good: #3c9d6b; --bar-warn: #d99a2b; --bar-bad: #cf4a41; --bar-calm: #8a97a8; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14181e; --fg: #e4e8ee; --dim: #9aa6b5; --line: #333c48; --soft: #1d232b;
          --good: #63cf97; --warn: #ecb357; --bad: #ff8b82; --calm: #8db8f5;
          --bar-good: #3c9d6b; --bar-warn: #c88a20; --bar-bad: #d2564d; --bar-calm: #64717f; } }
@media print {
  :root { --bg: #ffffff; --fg: #000000; --dim: #444444; --line: #bbbbbb; --soft: #f3f3f3;
          --good: #1a7f4b; --warn: #9a5b00; --bad: #b3261e; --calm: #2f62ad; }
  body { font-size: 9pt; } main { max-width: none; padding: 0; } nav { display: none; }
  tr, figure, .tile { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; border: 0; } svg, .tile { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .6rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
p { margin: .4rem 0 .8rem; max-width: 60rem; }
a { color: var(--calm); }
.dim, .more, .empty, figcaption { color: var(--dim); }
.empty { padding: .7rem 1rem; background: var(--soft); border-radius: .4rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; margin: 1rem 0 0; padding: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.4rem 0; padding: 0; list-style: none; }
.tile { background: var(--soft); border-left: .3rem solid var(--bar-calm); border-radius: .3rem; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.25; }
.tile span { color: var(--dim); font-size: .86rem; }
.tile.is-good { border-color: var(--bar-good); } .tile.is-warn { border-color: var(--bar-warn); } .tile.is-bad { border-color: var(--bar-bad); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .65rem; border-bottom: 1px solid var(--line);
         white-space: pre-line; overflow-wrap: break-word; max-width: 24rem; unicode-bidi: isolate; font-weight: 400; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { background: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; }
td .long, td .mono { display: inline-block; min-width: 11rem; overflow-wrap: anywhere; }
.when { white-space: nowrap; }
td .mono { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .8rem; }
.good { color: var(--good); } .warn { color: var(--warn); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; } .none { color: var(--dim); }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--fg); font-size: 13px; unicode-bidi: isolate; } svg .dim { fill: var(--dim); font-size: 12px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
.f-good { fill: var(--bar-good); } .f-warn { fill: var(--bar-warn); } .f-bad { fill: var(--bar-bad); } .f-calm { fill: var(--bar-calm); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; margin: 0 .3em 0 .9em; }
.key.f-good { background: var(--bar-good); } .key.f-warn { background: var(--bar-warn); } .key.f-bad { background: var(--bar-bad); } .key.f-calm { background: var(--bar-calm); }
</style>$css$;
\qecho '</head>'
\qecho '<body>'
\qecho '<main>'
\qecho '<header>'
SELECT '<h1>TLS audit of ' || :esc COALESCE(NULLIF(current_setting('cluster_name'), ''), host(inet_server_addr()) || ':' || inet_server_port(), 'port ' || current_setting('port')) :end || '</h1>';
SELECT '<p class="dim">' || to_char(now(), 'YYYY-MM-DD HH24:MI:SS') || ' UTC (as are all times here), seen by role <bdi>' || :esc current_user :end
       || '</bdi> in database <bdi>' || :esc current_database() :end || '</bdi>'
       || CASE WHEN pg_is_in_recovery() THEN ', on a standby' ELSE '' END
       || '. Server started ' || :time pg_postmaster_start_time() :end_time || '.</p>';
\qecho '</header>'
\qecho '<nav aria-label="Contents"><ul>'
\qecho '<li><a href="#enforcement">Enforcement</a></li><li><a href="#policies">Policies</a></li><li><a href="#sessions">Live sessions</a></li>'
\qecho '<li><a href="#expiry">Expiry</a></li><li><a href="#refusals">Refusals</a></li><li><a href="#findings">Findings</a></li>'
\if :has_nodes
\qecho '<li><a href="#nodes">Nodes</a></li>'
\endif
\qecho '</ul></nav>'

-- At a glance
\qecho '<ul class="tiles">'
SELECT format('<li class="tile%s"><span>Policies are</span><b>%s</b><span>sslpolicy.enforcement</span></li>',
              CASE v WHEN 'enforce' THEN ' is-good' WHEN 'log' THEN ' is-warn' ELSE ' is-bad' END,
              CASE v WHEN 'enforce' THEN 'enforced' WHEN 'log' THEN 'only logged' WHEN 'off' THEN 'off' ELSE 'not loaded' END)
  FROM (SELECT current_setting('sslpolicy.enforcement', true)) s(v);
SELECT format('<li class="tile%s"><span>Sessions that do not comply</span><b>%s</b><span>of %s</span></li>',
              CASE WHEN bad > 0 THEN ' is-bad' ELSE ' is-good' END, bad, total)
  FROM (SELECT count(*) FILTER (WHERE NOT compliant), count(*) FROM sslpolicy.sessions) s(bad, total);
SELECT format('<li class="tile%s"><span>TCP sessions without TLS</span><b>%s</b><span>of %s</span></li>',
              CASE WHEN bad > 0 THEN ' is-warn' ELSE ' is-good' END, bad, total)
  FROM (SELECT count(*) FILTER (WHERE NOT ssl), count(*) FROM sslpolicy.sessions WHERE client_addr IS NOT NULL) s(bad, total);
SELECT format('<li class="tile%s"><span>Next to expire, of the server</span><b>%s</b><span>%s</span></li>',
              CASE WHEN t IS NULL THEN '' WHEN t < now() + interval '1 day' THEN ' is-bad' WHEN t < now() + interval '30 days' THEN ' is-warn' ELSE ' is-good' END,
              CASE WHEN t IS NULL THEN 'nothing' WHEN t <= now() THEN 'expired' ELSE floor(extract(epoch FROM t - now()) / 86400) || ' days' END,
              COALESCE(to_char(t, 'YYYY-MM-DD'), 'no certificate, no CRL'))
  FROM (SELECT min(t) FROM (SELECT not_after FROM sslpolicy.certificates UNION ALL SELECT next_update FROM sslpolicy.crls) x(t)) s(t);
SELECT format('<li class="tile%s"><span>Refused within a day</span><b>%s</b><span>different refusals</span></li>',
              CASE WHEN n > 0 THEN ' is-warn' ELSE ' is-good' END, n)
  FROM (SELECT count(*) FROM sslpolicy.rejections WHERE NOT would_be AND at > now() - interval '24 hours') s(n);
SELECT format('<li class="tile%s"><span>Findings</span><b>%s</b><span>errors, and %s warnings</span></li>',
              CASE WHEN e > 0 THEN ' is-bad' WHEN w > 0 THEN ' is-warn' ELSE ' is-good' END, e, w)
  FROM (SELECT count(*) FILTER (WHERE severity = 'error'), count(*) FILTER (WHERE severity = 'warning') FROM sslpolicy.lint()) s(e, w);
\qecho '</ul>'

\qecho '<section aria-labelledby="enforcement"><h2 id="enforcement">State of enforcement</h2>'
\qecho '<h3>Versions</h3>'
\set head '<th scope="col">What</th><th scope="col">Value</th><th scope="col">Note</th>'
\set empty ''
:table row_number() OVER () AS n, ARRAY[item, value, note] AS cells, ARRAY[NULL, NULL, 'long'] AS classes
  FROM (SELECT item, value, note FROM sslpolicy.version()
        UNION ALL
        SELECT 'background worker', COALESCE('running since ' || :time min(backend_start) :end_time, 'not running'), NULL
          FROM pg_stat_activity WHERE backend_type = 'sslpolicy') v
:end_table ;
\qecho '<h3>Settings</h3>'
\set head '<th scope="col">Setting</th><th scope="col">Value</th><th scope="col">From</th><th scope="col">Meaning</th>'
\set empty 'None can be seen.'
:table row_number() OVER (ORDER BY name LIKE 'sslpolicy.%' DESC, name) AS n,
       ARRAY[name, setting || COALESCE(' ' || NULLIF(unit, ''), ''), source || CASE WHEN pending_restart THEN ', changed: needs a restart' ELSE '' END, short_desc] AS cells,
       ARRAY[NULL, CASE WHEN (name, setting) IN (('ssl', 'off'), ('sslpolicy.enforcement', 'off'), ('ssl_min_protocol_version', 'TLSv1'), ('ssl_min_protocol_version', 'TLSv1.1'), ('ssl_min_protocol_version', '')) THEN 'bad'
                        WHEN (name, setting) IN (('sslpolicy.enforcement', 'log'), ('sslpolicy.recheck_revoked', 'log'), ('sslpolicy.recheck_revoked', 'off'), ('sslpolicy.crl_missing', 'accept'), ('sslpolicy.crl_expired', 'accept')) THEN 'warn' END] AS classes
  FROM pg_settings
 WHERE name LIKE 'sslpolicy.%'
    OR name IN ('ssl', 'ssl_min_protocol_version', 'ssl_max_protocol_version', 'ssl_ciphers', 'ssl_prefer_server_ciphers',
                'ssl_cert_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_crl_dir', 'password_encryption', 'log_connections')
:end_table ;
\qecho '<h3>TLS material</h3>'
\set head '<th scope="col">Kind</th><th scope="col">File</th><th scope="col">Loaded</th><th scope="col">Load</th><th scope="col">Last failure</th><th scope="col">Why</th>'
:table row_number() OVER () AS n,
       ARRAY[kind, path, :time last_load :end_time, generation::text, :time last_failed_load :end_time, last_error] AS cells,
       ARRAY[NULL, 'long', 'when', NULL, CASE WHEN last_failed_load > COALESCE(last_load, '-infinity') THEN 'when bad' ELSE 'when' END, 'long'] AS classes
  FROM sslpolicy.material_status
:end_table ;
\qecho '</section>'

\qecho '<section aria-labelledby="policies"><h2 id="policies">Policies</h2>'
\qecho '<h3>What each login role must meet</h3>'
\if :has_effective
\qecho '<p>All that may apply to a login, from whichever policy; what depends on the address or database of the client is marked with ◦, what is only logged with “log”.</p>'
\set head '<th scope="col">Role</th><th scope="col">sslmode</th><th scope="col">min_protocol</th><th scope="col">cipher</th><th scope="col">Names, ou, o</th><th scope="col">fingerprint</th><th scope="col">issuer, ca_fingerprint</th><th scope="col">max_lifetime</th><th scope="col">other</th><th scope="col">From</th>'
\set empty 'There is no role that can log in.'
:table r.n,
       ARRAY[r.rolname || CASE WHEN r.rolsuper THEN E'\n(superuser)' ELSE '' END] ||
       CASE WHEN r.n <= :max_rows THEN (
           SELECT ARRAY[string_agg(x.what, E'\n') FILTER (WHERE x.requirement = 'sslmode'),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement = 'min_protocol'),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement = 'cipher'),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement ~ '^(cn|uid|email|dn|san)(, (uid|email|dn|san))*$' OR x.requirement IN ('ou', 'o')),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement = 'fingerprint'),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement IN ('issuer', 'ca_fingerprint')),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement = 'max_lifetime'),
                        string_agg(x.what, E'\n') FILTER (WHERE x.requirement NOT IN ('policy', 'sslmode', 'min_protocol', 'cipher', 'ou', 'o', 'fingerprint', 'issuer', 'ca_fingerprint', 'max_lifetime')
                               AND x.requirement !~ '^(cn|uid|email|dn|san)(, (uid|email|dn|san))*$'),
                        COALESCE(string_agg(DISTINCT x.source, E'\n'), 'no policy')]
             FROM (SELECT CASE WHEN e.requirement = 'policy' THEN 'database, where it has a policy ◦' ELSE e.source END AS source,
                          e.requirement,
                          -- required is written as in a policy, key=value; the key is the column
                          CASE WHEN e.requirement IN ('sslmode', 'min_protocol', 'cipher', 'fingerprint', 'max_lifetime')
                               THEN replace(e.required, e.requirement || '=', '') ELSE e.required END
                          || CASE WHEN e.decides IS NULL THEN ' ◦' ELSE '' END
                          || CASE WHEN e.action = 'log' THEN ' (log)' ELSE '' END AS what
                     FROM sslpolicy.effective_policy(r.oid::regrole, NULL, NULL) e
                    WHERE e.decides IS NOT FALSE) x) END AS cells,
       NULL::text[] AS classes
  FROM (SELECT row_number() OVER (ORDER BY rolname) AS n, oid, rolname, rolsuper FROM pg_roles WHERE rolcanlogin) r
:end_table ;
\else
\qecho '<p>Only login roles that have no policy of their own: what groups, databases and settings add is not shown, because this report was made without EXECUTE on sslpolicy.effective_policy.</p>'
\set head '<th scope="col">Role</th><th scope="col">Superuser</th><th scope="col">Replication</th><th scope="col">Member of</th>'
\set empty 'Every role that can log in has a policy of its own.'
:table row_number() OVER (ORDER BY r.rolsuper DESC, r.rolname) AS n,
       ARRAY[r.rolname, CASE WHEN r.rolsuper THEN 'yes' ELSE 'no' END, CASE WHEN r.rolreplication THEN 'yes' ELSE 'no' END,
             (SELECT string_agg(DISTINCT g.rolname, E'\n') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid)] AS cells,
       ARRAY[NULL, CASE WHEN r.rolsuper THEN 'warn' END, NULL, NULL] AS classes
  FROM pg_roles r
 WHERE r.rolcanlogin
   AND NOT EXISTS (SELECT FROM sslpolicy.policies p WHERE p.object_type = 'role' AND p.object_name = r.rolname)
:end_table ;
\endif
\qecho '<h3>Policies as they are written</h3>'
\qecho '<p>A row for each rule; the first one whose address and database fit decides.</p>'
\set head '<th scope="col">Policy of</th><th scope="col">Rule</th><th scope="col">For</th><th scope="col">sslmode</th><th scope="col">min_protocol</th><th scope="col">cipher</th><th scope="col">Names, ou, o</th><th scope="col">fingerprint</th><th scope="col">issuer, ca_fingerprint</th><th scope="col">max_lifetime</th><th scope="col">action</th>'
\set empty 'There is no policy: no role, no database and no setting demands anything.'
:table row_number() OVER (ORDER BY object_type DESC, object_name, rule) AS n,
       ARRAY[object_type || ' ' || object_name, rule::text,
             COALESCE(NULLIF(concat_ws(E'\n', array_to_string(address, E'\n'), array_to_string(database, E'\n')), ''), CASE WHEN error IS NULL THEN 'all' END),
             COALESCE(sslmode, 'unreadable: ' || error), min_protocol, array_to_string(cipher, E'\n'),
             concat_ws(E'\n', 'cn=' || array_to_string(cn, E'\ncn='), 'uid=' || array_to_string(uid, E'\nuid='), 'email=' || array_to_string(email, E'\nemail='), 'dn=' || array_to_string(dn, E'\ndn='), 'san=' || array_to_string(san, E'\nsan='),
                       CASE WHEN ignore_case THEN 'ignore_case=on' END, 'ou=' || array_to_string(ou, E'\nou='), 'o=' || array_to_string(o, E'\no=')),
             array_to_string(fingerprint, E'\n'), concat_ws(E'\n', array_to_string(issuer, E'\n'), array_to_string(ca_fingerprint, E'\n')),
             max_lifetime::text, action || CASE WHEN on_expiry = 'end' THEN E'\nends at expiry' ELSE '' END] AS cells,
       ARRAY[NULL, NULL, NULL, CASE WHEN error IS NOT NULL THEN 'bad' END, NULL, NULL, NULL,
             CASE WHEN fingerprint IS NOT NULL THEN 'mono' END, CASE WHEN ca_fingerprint IS NOT NULL THEN 'mono' END, NULL,
             CASE WHEN action = 'log' THEN 'warn' END] AS classes
  FROM sslpolicy.policies
:end_table ;
\qecho '</section>'

\qecho '<section aria-labelledby="sessions"><h2 id="sessions">Live sessions</h2>'
-- a bar for each TLS version; from the left those that comply, then those of
-- which it is not known, then the others
SELECT format('<figure><svg role="img" aria-label="Live sessions by TLS version" viewBox="0 0 960 %s">', 10 + 34 * count(*))
       || string_agg(format('<text x="150" y="%1$s" text-anchor="end">%2$s</text>'
                            '<rect class="f-good" x="160" y="%3$s" width="%4$s" height="20"/>'
                            '<rect class="f-calm" x="%5$s" y="%3$s" width="%6$s" height="20"/>'
                            '<rect class="f-bad" x="%7$s" y="%3$s" width="%8$s" height="20"/>'
                            '<text x="%9$s" y="%1$s">%10$s</text>',
                            20 + 34 * (i - 1), :esc label :end, 5 + 34 * (i - 1),
                            round(good * scale, 1), round(160 + good * scale, 1),
                            round(unknown * scale, 1), round(160 + (good + unknown) * scale, 1),
                            round(bad * scale, 1), round(170 + total * scale, 1), total), E'\n' ORDER BY i)
       || '</svg><figcaption><span class="key f-good"></span>complies<span class="key f-calm"></span>not known (enforcement is off, or it cannot be told)'
          '<span class="key f-bad"></span>does not comply</figcaption></figure>'
  FROM (SELECT row_number() OVER (ORDER BY label DESC) AS i, label, total, good, bad, total - good - bad AS unknown,
               700.0 / greatest(max(total) OVER (), 1) AS scale
          FROM (SELECT COALESCE(version, CASE WHEN client_addr IS NULL THEN 'Unix socket' ELSE 'TCP without TLS' END) AS label,
                       count(*) AS total, count(*) FILTER (WHERE compliant) AS good, count(*) FILTER (WHERE NOT compliant) AS bad
                  FROM sslpolicy.sessions GROUP BY 1) s) b;
\set head '<th scope="col">Role</th><th scope="col">Database</th><th scope="col">TLS</th><th scope="col">Cipher</th><th scope="col">Certificate</th><th scope="col">Authentication</th><th scope="col">Complies</th><th scope="col">Sessions</th>'
\set empty 'There is no session.'
:table row_number() OVER (ORDER BY s.compliant, s.ssl, s.usename, s.datname, s.version, s.client_dn) AS n,
       ARRAY[s.usename, s.datname, COALESCE(s.version, CASE WHEN s.local THEN 'none (Unix socket)' ELSE 'none' END), s.cipher, s.client_dn, s.auth_method,
             CASE s.compliant WHEN true THEN 'yes' WHEN false THEN 'no' ELSE 'not known' END, s.sessions::text] AS cells,
       ARRAY[NULL, NULL, CASE WHEN s.ssl OR s.local THEN NULL ELSE 'warn' END, NULL, 'long', NULL, CASE s.compliant WHEN true THEN 'good' WHEN false THEN 'bad' END, NULL] AS classes
  FROM (SELECT usename, datname, version, cipher, client_dn, auth_method, ssl, compliant, client_addr IS NULL AS local, count(*) AS sessions
          FROM sslpolicy.sessions GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) s
:end_table ;
\qecho '</section>'

\qecho '<section aria-labelledby="expiry"><h2 id="expiry">Expiry</h2>'
\qecho '<p>Certificates and CRLs of the server, and of each role the client certificate that expires first of those used within a day.</p>'
-- days from now to the right, on a logarithmic scale up to ten years
WITH e AS (
    SELECT row_number() OVER (ORDER BY t, label) AS i, label, t, warn, (extract(epoch FROM t - now()) / 86400)::numeric AS days
      FROM (SELECT CASE kind WHEN 'server' THEN 'server: ' ELSE 'CA: ' END || subject_dn, not_after, 30 FROM sslpolicy.certificates
            UNION ALL
            SELECT 'CRL: ' || COALESCE(issuer_dn, file), next_update, 1 FROM sslpolicy.crls
            UNION ALL
            SELECT 'client: ' || role, earliest_expiry, 7 FROM sslpolicy.statistics WHERE role IS NOT NULL) x(label, t, warn)
     WHERE isfinite(t)),
size AS (
    SELECT count(*) AS total, least(count(*), :max_lines) AS lines FROM e),
grid AS (
    SELECT string_agg(format('<line class="grid" x1="%1$s" x2="%1$s" y1="22" y2="%2$s"/><text class="dim" x="%1$s" y="14" text-anchor="middle">%3$s</text>',
                             round(330 + 500 * ln(1 + d) / ln(3651.0), 1), 30 + 26 * lines, tick), E'\n' ORDER BY d) AS svg
      FROM size, (VALUES (0.0, 'now'), (1, '1 day'), (7, '1 week'), (30, '30 days'), (90, '90 days'), (365, '1 year'), (3650, '10 years')) ticks(d, tick)),
bars AS (
    SELECT string_agg(format('<g><title>%1$s</title><text x="320" y="%2$s" text-anchor="end">%3$s</text>'
                             '<rect class="%4$s" x="330" y="%5$s" width="%6$s" height="14" rx="2"/><text class="dim" x="842" y="%2$s">%7$s</text></g>',
                             :esc label || ', ' || :time t :end_time :end, 42 + 26 * (i - 1),
                             :esc CASE WHEN length(label) > 44 THEN left(label, 43) || '…' ELSE label END :end,
                             CASE WHEN days < 0 THEN 'f-bad' WHEN days < warn THEN 'f-warn' ELSE 'f-good' END,
                             31 + 26 * (i - 1), round(greatest(500 * ln(1 + least(greatest(days, 0), 3650)) / ln(3651.0), 4), 1),
                             CASE WHEN days < 0 THEN 'expired' ELSE to_char(t, 'YYYY-MM-DD') END), E'\n' ORDER BY i) AS svg
      FROM e
     WHERE i <= :max_lines)
SELECT CASE WHEN total = 0 THEN '<p class="empty">Nothing is known that expires.</p>'
            ELSE format('<figure><svg role="img" aria-label="Time until each certificate and CRL expires" viewBox="0 0 960 %s">', 36 + 26 * lines)
                 || grid.svg || E'\n' || bars.svg
                 || '</svg><figcaption><span class="key f-good"></span>valid<span class="key f-warn"></span>expires within 30 days (CRL: 1 day; client: 7 days)'
                    '<span class="key f-bad"></span>expired. The scale is logarithmic.'
                 || CASE WHEN total > lines THEN format(' The %s that expire last are left out.', total - lines) ELSE '' END
                 || '</figcaption></figure>' END
  FROM size, grid, bars;
\qecho '<h3>Certificates of the server</h3>'
\set head '<th scope="col">Subject</th><th scope="col">Kind</th><th scope="col">Issuer</th><th scope="col">Valid from</th><th scope="col">Expires</th><th scope="col">Key</th><th scope="col">Signature</th><th scope="col">In force</th><th scope="col">SHA-256</th>'
\set empty 'The server has no certificate.'
:table row_number() OVER (ORDER BY kind DESC, position) AS n,
       ARRAY[subject_dn, kind, issuer_dn, to_char(not_before, 'YYYY-MM-DD'), to_char(not_after, 'YYYY-MM-DD'), key_algorithm || ' ' || key_bits, signature_algorithm,
             CASE in_force WHEN true THEN 'yes' WHEN false THEN 'no' ELSE 'not known' END, fingerprint_sha256] AS cells,
       ARRAY[NULL, NULL, 'long', 'when', CASE WHEN not_after <= now() THEN 'when bad' WHEN not_after < now() + interval '30 days' THEN 'when warn' ELSE 'when' END, NULL, NULL,
             CASE in_force WHEN false THEN 'warn' END, 'mono'] AS classes
  FROM sslpolicy.certificates
:end_table ;
\qecho '<h3>CRLs</h3>'
\set head '<th scope="col">Issuer</th><th scope="col">File</th><th scope="col">Number</th><th scope="col">Issued</th><th scope="col">Expires</th><th scope="col">Revoked</th><th scope="col">In force</th><th scope="col">Error</th>'
\set empty 'There is no CRL: the server cannot know that a certificate is revoked.'
:table row_number() OVER (ORDER BY next_update, issuer_dn, file) AS n,
       ARRAY[COALESCE(issuer_dn, 'not known'), file, crl_number::text, :time this_update :end_time, :time next_update :end_time, entries::text,
             CASE in_force WHEN true THEN 'yes' WHEN false THEN 'no' ELSE 'not known' END, error] AS cells,
       ARRAY[NULL, 'long', NULL, 'when', CASE WHEN next_update <= now() THEN 'when bad' WHEN next_update < now() + interval '1 day' THEN 'when warn' ELSE 'when' END, NULL,
             CASE in_force WHEN false THEN 'warn' END, CASE WHEN error IS NOT NULL THEN 'bad' END] AS classes
  FROM sslpolicy.crls
:end_table ;
\qecho '</section>'

\qecho '<section aria-labelledby="refusals"><h2 id="refusals">Refusals</h2>'
\qecho '<h3>Recent refusals</h3>'
\qecho '<p>The newest first; repeats of the same refusal are one row. “Server” are refusals by PostgreSQL itself, “recheck” are live sessions that were ended.</p>'
\set head '<th scope="col">Last</th><th scope="col">Times</th><th scope="col">Role</th><th scope="col">Database</th><th scope="col">Address</th><th scope="col">Not met</th><th scope="col">By</th><th scope="col">Let in</th><th scope="col">TLS</th><th scope="col">Certificate</th>'
\set empty 'Nobody was refused.'
:table row_number() OVER (ORDER BY at DESC, first_at DESC) AS n,
       ARRAY[:time at :end_time, count::text, role, database, host(address), array_to_string(reasons, E'\n'), source,
             CASE WHEN would_be THEN 'yes, only logged' ELSE 'no' END, tls_version, concat_ws(E'\n', client_dn, 'serial ' || client_serial)] AS cells,
       ARRAY['when', NULL, NULL, NULL, NULL, 'long', NULL, CASE WHEN would_be THEN 'warn' END, NULL, CASE WHEN client_dn IS NOT NULL THEN 'long' END] AS classes
  FROM sslpolicy.rejections
:end_table ;
\qecho '<h3>Logins by role</h3>'
\set head '<th scope="col">Role</th><th scope="col">Let in</th><th scope="col">Refused</th><th scope="col">Only logged</th><th scope="col">Ended</th><th scope="col">Last let in</th><th scope="col">Last refused</th>'
\set empty 'Nobody has logged in since the counters were reset.'
:table row_number() OVER (ORDER BY refused + logged + ended DESC, allowed DESC, role) AS n,
       ARRAY[COALESCE(role, 'names that are no role'), allowed::text, refused::text, logged::text, ended::text, :time last_allowed :end_time, :time last_refused :end_time] AS cells,
       ARRAY[CASE WHEN role IS NULL THEN 'none' END, NULL, CASE WHEN refused > 0 THEN 'warn' END, CASE WHEN logged > 0 THEN 'warn' END, NULL, 'when', 'when'] AS classes
  FROM sslpolicy.statistics
:end_table ;
\qecho '</section>'

\qecho '<section aria-labelledby="findings"><h2 id="findings">Findings</h2>'
\qecho '<p>What sslpolicy.lint() finds in the configuration of this server.</p>'
\set head '<th scope="col">Severity</th><th scope="col">Code</th><th scope="col">Object</th><th scope="col">Finding</th><th scope="col">Remedy</th>'
\set empty 'Nothing is found to be wrong.'
:table row_number() OVER (ORDER BY array_position(ARRAY['error', 'warning', 'info'], severity), code, object) AS n,
       ARRAY[severity, code, object, finding, remedy] AS cells,
       ARRAY[CASE severity WHEN 'error' THEN 'bad' WHEN 'warning' THEN 'warn' END, NULL, NULL, 'long', 'long'] AS classes
  FROM sslpolicy.lint()
:end_table ;
\qecho '</section>'

-- only where anything is replicated, or there is another node
\if :has_nodes
\qecho '<section aria-labelledby="nodes"><h2 id="nodes">Nodes</h2>'
\qecho '<p>State of the replicated CAs and CRLs on this server, and on the standbys below it.</p>'
\set head '<th scope="col">Node</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Why</th><th scope="col">Replicated (SHA-256)</th><th scope="col">WAL</th><th scope="col">Load</th><th scope="col">Reported</th>'
\set empty 'No node is known.'
:table row_number() OVER (ORDER BY is_self DESC, node, kind, reported_at DESC) AS n,
       ARRAY[node || CASE WHEN is_self THEN E'\n(this server)' ELSE '' END, kind, state, detail, wanted, lsn::text, generation::text, :time reported_at :end_time] AS cells,
       ARRAY[NULL, NULL, CASE WHEN replicated THEN CASE WHEN state = 'failed' THEN 'bad'
                                                        WHEN state IN ('newer', 'silent', 'applying', 'gone') THEN 'warn'
                                                        WHEN state = 'foreign' AND detail NOT LIKE 'the file of the node matches what is replicated%' THEN 'warn'
                                                        WHEN state = 'foreign' THEN NULL
                                                        WHEN state = 'in force' AND wanted = own THEN 'good' ELSE 'warn' END END,
             'long', CASE WHEN wanted IS NOT NULL THEN 'mono' END, NULL, NULL, 'when'] AS classes
  FROM (SELECT nodes.*, own.wanted AS own, own.state <> 'local' AS replicated
          FROM sslpolicy.nodes
          JOIN (SELECT kind AS own_kind, wanted, state FROM sslpolicy.nodes WHERE is_self) own ON own_kind = kind) n
:end_table ;
\qecho '</section>'
\endif
\qecho '</main>'
\qecho '</body>'
\qecho '</html>'
COMMIT;
