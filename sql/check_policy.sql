--
-- sslpolicy.check_policy: the policy language, its canonical text, and what it
-- says of text that is no policy
--
CREATE EXTENSION sslpolicy;
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

CREATE TEMP TABLE valid (policy text);

-- What a policy is refused with, or a complaint that it was not.
CREATE FUNCTION pg_temp.refusal(policy text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    RETURN policy || E'\n    ACCEPTED: ' || sslpolicy.check_policy(policy);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN format(E'%s\n    %s %s\n    %s\n    %s',
                  policy, state, message, detail, hint);
END $$;

-- The canonical text of policies, each of which is kept for the tests below.
-- Control characters in what was given are shown as ~.
CREATE FUNCTION pg_temp.canonical(policies text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    given text;
BEGIN
    FOREACH given IN ARRAY policies LOOP
        INSERT INTO valid (policy) VALUES (given);
        RETURN NEXT translate(given, E'\t\n\r\f\x0B', '~~~~~') || E'\n    '
            || sslpolicy.check_policy(given);
    END LOOP;
END $$;

--
-- Policies and their canonical text
--

-- every sslmode
SELECT pg_temp.canonical(ARRAY[
    'sslmode=reject', 'sslmode=disable', 'sslmode=allow', 'sslmode=prefer',
    'sslmode=require', 'sslmode=verify-ca', 'sslmode=verify-full',
    'sslmode=cert']);

-- address: IPv4 and IPv6, with and without a prefix, in its shortest form
SELECT pg_temp.canonical(ARRAY[
    'address=192.0.2.7 sslmode=allow; sslmode=reject',
    'address=192.0.2.7/32 sslmode=allow; sslmode=reject',
    'address=10.0.0.0/8 sslmode=allow; sslmode=reject',
    'address=0.0.0.0/0 sslmode=allow; sslmode=reject',
    'address=2001:0DB8:0:0:0:0:0:1 sslmode=allow; sslmode=reject',
    'address=2001:db8::/32 sslmode=allow; sslmode=reject',
    'address=::1/128 sslmode=allow; sslmode=reject',
    'address=::/0 sslmode=allow; sslmode=reject',
    'address=::ffff:192.0.2.7 sslmode=allow; sslmode=reject']);

-- database: a name, the keyword replication, a database of that name
SELECT pg_temp.canonical(ARRAY[
    'database=app sslmode=allow; sslmode=reject',
    'database=App sslmode=allow; sslmode=reject',
    'database=replication sslmode=allow; sslmode=reject',
    $$database='replication' sslmode=allow; sslmode=reject$$,
    $$database=all sslmode=allow; sslmode=reject$$]);

-- min_protocol: case does not count, as in ssl_min_protocol_version
SELECT pg_temp.canonical(ARRAY[
    'min_protocol=TLSv1', 'min_protocol=TLSv1.1', 'min_protocol=TLSv1.2',
    'min_protocol=TLSv1.3', 'min_protocol=tlsV1.3']);

-- cipher: of TLS 1.3 and of 1.2
SELECT pg_temp.canonical(ARRAY[
    'cipher=TLS_AES_256_GCM_SHA384',
    'cipher=ECDHE-RSA-AES256-GCM-SHA384']);

-- cn, dn and san: plain, with %u and %%, as regular expressions
SELECT pg_temp.canonical(ARRAY[
    'cn=app',
    'cn=%u',
    'cn=100%%-%u@example.com',
    'cn=/^app[0-9]+$',
    'cn=/^app|web$',
    $$cn='/^%u\\.example\\.com$'$$,
    $$cn='/^100%%$'$$,
    $$cn='/^100\\%$'$$,
    $$cn='/^a\\\\$'$$,
    'dn=CN=app,O=Acme',
    $$dn='CN=app,OU=Data Base,O=Acme\\, Inc.'$$,
    'dn=/^CN=%u,O=Acme$',
    'san=dns:app.example.com',
    'san=dns:*.example.com',
    'san=dns:%u.example.com',
    'san=dns:/^app[0-9]+[.]example[.]com$',
    'san=email:app@example.com',
    'san=uri:spiffe://bank/db/%u',
    'san=ip:192.0.2.7',
    'san=ip:2001:0DB8::0007',
    'san=ip:/^192[.]0[.]2[.][0-9]+$']);

-- fingerprints: with or without colons, in either case
SELECT pg_temp.canonical(ARRAY[
    'fingerprint=' || repeat('ab', 32),
    'fingerprint=' || repeat('AB', 32),
    'fingerprint=' || rtrim(repeat('0F:', 32), ':'),
    'ca_fingerprint=' || rtrim(repeat('0f:', 32), ':')]);

-- issuer
SELECT pg_temp.canonical(ARRAY[
    'issuer=CN=Root',
    $$issuer='CN=Acme Root,O=Acme'$$]);

-- DNs: several attributes in an RDN; spaces behind a comma do not count
SELECT pg_temp.canonical(ARRAY[
    'dn=CN=a+O=b',
    $$dn='CN=a, O=b'$$,
    $$dn='CN=%u,  OU=Data Base, O=Acme\\, Inc.'$$,
    $$issuer='CN=Acme Root, O=Acme'$$]);

-- max_lifetime: in the largest unit that divides it
SELECT pg_temp.canonical(ARRAY[
    'max_lifetime=1s', 'max_lifetime=60s', 'max_lifetime=90min',
    'max_lifetime=24h', 'max_lifetime=36h', 'max_lifetime=90d']);

-- on_expiry and action, where they are written
SELECT pg_temp.canonical(ARRAY[
    'sslmode=verify-ca on_expiry=keep',
    'sslmode=verify-ca on_expiry=end',
    'sslmode=allow on_expiry=end',
    'sslmode=require action=reject',
    'sslmode=verify-full action=log; sslmode=require',
    'action=log cn=app; action=reject sslmode=require']);

-- an sslmode that the other keys imply is written out
SELECT pg_temp.canonical(ARRAY[
    'min_protocol=TLSv1.2 cipher=TLS_AES_128_GCM_SHA256',
    'min_protocol=TLSv1.2 issuer=CN=Root',
    'max_lifetime=90d cn=app',
    'on_expiry=end min_protocol=TLSv1.2']);

-- a stronger sslmode than implied stays
SELECT pg_temp.canonical(ARRAY[
    'sslmode=verify-full min_protocol=TLSv1.2',
    'sslmode=cert issuer=CN=Root',
    'sslmode=cert cn=app']);

-- keys come in one order, repeated ones in theirs
SELECT pg_temp.canonical(ARRAY[
    'action=reject on_expiry=end max_lifetime=1d issuer=CN=b issuer=CN=a '
    'san=ip:::1 san=dns:z dn=CN=y dn=CN=x cn=b cn=a cipher=TLS_AES_256_GCM_SHA384 '
    'cipher=TLS_AES_128_GCM_SHA256 min_protocol=TLSv1.2 sslmode=cert '
    'database=b database=replication database=a address=::1 address=10.0.0.0/8; '
    'sslmode=reject']);

-- white space counts only between pairs and inside quotes
SELECT pg_temp.canonical(ARRAY[
    'sslmode = require', 'sslmode=  require  ', E'\n\tsslmode\n=\nrequire\r\n',
    'address=::1 sslmode=allow;sslmode=reject',
    E'address=::1\fsslmode=allow\x0B;\nsslmode=reject']);

-- quotes and backslashes as in conninfo; canonical text has what it needs
SELECT pg_temp.canonical(ARRAY[
    $$sslmode='require'$$,
    $$cn='two words'$$,
    $$cn=two\ words$$,
    $$cn='semi;colon'$$,
    $$cn=semi\;colon$$,
    $$cn='O\'Neil'$$,
    $$cn=O\'Neil$$,
    $$cn='back\\slash'$$,
    $$cn=back\\slash$$,
    $$cn=a=b$$,
    $$cn=a"b$$,
    $$cn='line
break'$$,
    $$database='my db' sslmode=allow; sslmode=reject$$]);

-- rules: as many as one likes, each decides by itself
SELECT pg_temp.canonical(ARRAY[
    'address=127.0.0.1 sslmode=prefer; sslmode=verify-full min_protocol=TLSv1.3',
    'database=a cn=a; database=b cn=b; sslmode=reject',
    'address=10.0.0.0/8 database=a sslmode=require; sslmode=reject',
    'address=::1 cn=app action=log; cn=web action=log; sslmode=allow']);

-- the longest policy: 1,800 bytes
SELECT length(sslpolicy.check_policy('sslmode=verify-full cn=' || repeat('x', 1777)));

-- canonical text is a policy, and its own canonical text
SELECT count(*) FROM valid;
SELECT policy, sslpolicy.check_policy(policy)
  FROM valid
 WHERE sslpolicy.check_policy(sslpolicy.check_policy(policy)) <> sslpolicy.check_policy(policy);

-- null is no policy
SELECT sslpolicy.check_policy(NULL);

--
-- What is no policy: SQLSTATE, message, detail, hint
--

-- as psql shows it
SELECT sslpolicy.check_policy('sslmode=verify-full cipher=ROT13');

-- nothing
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    '', '   ', E'\n']) p;

-- empty rules
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    ';', '; sslmode=require', 'sslmode=require;', 'sslmode=require ; ',
    'address=::1 sslmode=require;',
    'address=::1 sslmode=require;; sslmode=reject']) p;

-- keys
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'require',
    'sslmode',
    'sslmode require',
    'sslmode; cn=app',
    'SSLMODE=require',
    'ssl_mode=require',
    '=require',
    $$'sslmode'=require$$,
    'sslmode=require clientcert=verify-full',
    'address=::1 sslmode=require; sslrootcert=x']) p;

-- values and their quotes
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=',
    'sslmode= ; sslmode=reject',
    $$cn=''$$,
    $$cn='app$$,
    $$cn='app\'$$,
    $$cn='app'x$$,
    $$cn='app''web'$$,
    $$cn=app'web'$$,
    $$cn='app'=web$$]) p;

-- keys written twice, where the value cannot be two
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=require sslmode=require',
    'min_protocol=TLSv1.2 min_protocol=TLSv1.3',
    'max_lifetime=1d max_lifetime=2d',
    'cn=app on_expiry=end on_expiry=keep',
    'cn=app action=log action=reject; sslmode=require']) p;

-- address
SELECT pg_temp.refusal(p || ' sslmode=allow; sslmode=reject') FROM unnest(ARRAY[
    'address=localhost', 'address=samenet', 'address=10.0.0', 'address=10.0.0.256',
    'address=10.0.0.0/33', 'address=::/129', 'address=10.0.0.0/', 'address=10.0.0.0/-1',
    'address=10.0.0.0/8x', 'address=10.0.0.0/0008', 'address=10.0.0.0/255.0.0.0',
    'address=fe80::1%eth0', 'address=:::', 'address=10.0.0.1,10.0.0.2',
    'address=10.0.0.1/8', 'address=2001:db8::1/32', 'address=1.1.1.1/0']) p;

-- database
SELECT pg_temp.refusal('database=' || repeat('d', 64) || ' sslmode=allow; sslmode=reject');
SELECT sslpolicy.check_policy('database=' || repeat('d', 63) || ' sslmode=allow; sslmode=reject');

-- words
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=verify_full', 'sslmode=Require', 'sslmode=perfer', 'sslmode=none',
    'min_protocol=SSLv3', 'min_protocol=TLSv1.4', 'min_protocol=1.2', 'min_protocol=none',
    'cn=app on_expiry=kill', 'cn=app action=deny', 'cn=app action=LOG']) p;

-- cipher: one that OpenSSL knows, by its own name
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'cipher=HIGH', 'cipher=ALL', 'cipher=ROT13', 'cipher=tls_aes_256_gcm_sha384',
    'cipher=TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256', 'cipher=!aNULL',
    'cipher=@SECLEVEL']) p;

-- names
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'cn=100%', 'cn=%U', 'cn=%x', 'dn=CN=%', 'san=dns:%h',
    'dn=app', 'san=app.example.com', 'san=DNS:app', 'san=dns:', 'san=other:x',
    'san=ip:10.0.0.0/8', 'san=ip:localhost', 'san=ip:%u']) p;

-- regular expressions must be anchored
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'cn=/', 'cn=/app', 'cn=/^app', 'cn=/app$', 'cn=/^', 'cn=/$',
    $$cn='/^app\\$'$$, $$cn='/^app\\\\\\$'$$, 'dn=/CN=app', 'san=dns:/app[.]example']) p;

-- ... to be valid, as they are written and not by what is put around them
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'cn=/^(a$', 'cn=/^a)$', 'cn=/^a)|(b$', 'cn=/^a)|(?:b$', 'cn=/^[a$', 'cn=/^*a$',
    'cn=/^a{2,1}$', 'cn=/^(a))((b$', 'dn=/^CN=(%u$', 'san=dns:/^[$',
    'cn=/^50%$']) p;

-- ... to have no back references
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    $$cn='/^(a)\\1$'$$, $$san='dns:/^(.)\\1[.]example$'$$]) p;

-- ... and to be ASCII
SELECT pg_temp.refusal(E'cn=\'/^a\tb$\'');

-- fingerprints
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'fingerprint=abc',
    'fingerprint=' || repeat('ab', 20),
    'fingerprint=' || repeat('ab', 31) || 'ax',
    'fingerprint=' || repeat('ab', 33),
    'fingerprint=' || repeat('ab:', 32),
    'fingerprint=' || rtrim(repeat('ab-', 32), '-'),
    'ca_fingerprint=SHA256:abc']) p;

-- issuer
SELECT pg_temp.refusal('issuer=Root');

-- what cannot be read as a DN
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    $$dn='CN=app, Inc.'$$, $$dn='C = DE, O = Acme, CN = app'$$, $$dn='CN=a, O=b+'$$,
    'issuer=/CN=Root']) p;

-- max_lifetime
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'max_lifetime=24', 'max_lifetime=0d', 'max_lifetime=-1d', 'max_lifetime=1.5d',
    'max_lifetime=1y', 'max_lifetime=1D', 'max_lifetime=d', $$max_lifetime='1 d'$$,
    $$max_lifetime='24:00:00'$$, 'max_lifetime=99999999999d']) p;

-- keys that a weaker sslmode contradicts: the strongest one is named
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=prefer min_protocol=TLSv1.2',
    'cipher=TLS_AES_256_GCM_SHA384 sslmode=allow',
    'sslmode=require fingerprint=' || repeat('ab', 32),
    'sslmode=require ca_fingerprint=' || repeat('ab', 32),
    'sslmode=require issuer=CN=Root',
    'sslmode=require max_lifetime=1d',
    'sslmode=verify-ca cn=app', 'sslmode=verify-ca dn=CN=app',
    'sslmode=verify-ca san=dns:app',
    'sslmode=disable min_protocol=TLSv1.2',
    'sslmode=reject cn=app',
    'sslmode=allow min_protocol=TLSv1.2 max_lifetime=1d cn=app']) p;

-- on_expiry where there can be no certificate
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=disable on_expiry=end', 'sslmode=reject on_expiry=keep']) p;

-- rules that ask for nothing
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'address=10.0.0.0/8; sslmode=require',
    'database=app; sslmode=require',
    'action=log; sslmode=require',
    'action=reject',
    'on_expiry=end',
    'address=10.0.0.0/8 sslmode=require; on_expiry=end']) p;

-- the last rule decides for every session
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'address=10.0.0.0/8 sslmode=require',
    'database=app sslmode=require',
    'sslmode=require action=log',
    'sslmode=require action=log; address=::1 sslmode=require']) p;

-- and no rule before it does
SELECT pg_temp.refusal(p) FROM unnest(ARRAY[
    'sslmode=require; sslmode=reject',
    'address=::1 sslmode=require; sslmode=reject; cn=app']) p;

-- too long
SELECT replace(pg_temp.refusal('sslmode=verify-full cn=' || repeat('x', 1778)),
               repeat('x', 1778), '...');

--
-- Text outside ASCII, in a database whose encoding is known
--
\set original :DBNAME
CREATE DATABASE regress_sslpolicy_utf8 TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_sslpolicy_utf8
SET client_encoding = 'UTF8';
CREATE EXTENSION sslpolicy;

-- positions are counted in characters
SELECT sslpolicy.check_policy('cn=Zoë bogus=1');
SELECT sslpolicy.check_policy('database=€€€ sslmode=allow; cn=Zoë%');

-- cn and san keep their text, DNs are written as certificates have them
SELECT sslpolicy.check_policy('cn=Zoë');
SELECT sslpolicy.check_policy('san=email:zoë@example.com');
SELECT sslpolicy.check_policy('dn=CN=Zoë');
SELECT sslpolicy.check_policy('issuer=CN=Zoë');
SELECT sslpolicy.check_policy(sslpolicy.check_policy('dn=CN=Zoë issuer=CN=Zoë'));

-- regular expressions are ASCII
SELECT sslpolicy.check_policy('cn=/^Zoë$');
SELECT sslpolicy.check_policy($$cn='/^Zo\\\\C3\\\\AB$'$$);

-- a regular expression has at most 200 bytes, slash and anchors included
SELECT length(sslpolicy.check_policy('cn=/^' || repeat('x', 197) || '$'));
SELECT sslpolicy.check_policy('cn=/^' || repeat('x', 198) || '$');

-- the limit is one of bytes, and need not fall between two characters
DO $$
DECLARE
    message text;
BEGIN
    FOR i IN 0..2 LOOP
        BEGIN
            PERFORM sslpolicy.check_policy('cn=' || repeat('x', i) || repeat('€', 620));
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
            RAISE NOTICE '% %', SQLSTATE, message;
        END;
    END LOOP;
END $$;

-- nor may canonical text be longer, which could not be set again
SELECT length(sslpolicy.check_policy('cn=' || repeat('x', 1777)));
SELECT sslpolicy.check_policy('cn=' || repeat('x', 1778));

\c :original
DROP DATABASE regress_sslpolicy_utf8;
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
