# Certificates as Windows and clouds make them, each in a real handshake: user principal
# names, subjects with several CNs, strings that are not what their type says, and dates
# that begin in the past.
#
# 1. san=upn: who is let in, what is shown, and what is told at a refusal
# 2. what is in an otherName of that type and is no such name lets in nobody
# 3. other otherNames are shown by OID
# 4. several CNs: client, log, rejections and explain() say so
# 5. bytes above 127 in a string of ASCII name nobody, neither by CN, DN nor SAN, also
#    not a role of those bytes in LATIN1 or SQL_ASCII; so does a CA with such a DN
# 6. max_lifetime: what CAs back-date by is within the grace; client, log, rejections and
#    explain() say how long a certificate lives, and how long it may
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $UPN = '1.3.6.1.4.1.311.20.2.3';
my $DAY = 86400;

my $server = SSLPolicy::Server->new('names');
my $certs = $server->certs;
my $root = $certs->get('root');
my $odd = $certs->ca('odd', subject => [ [ O => { printable => "Acm\xe9" } ], [ CN => 'Odd Root' ] ]);
$certs->bundle('trusted.crt', 'root', 'odd');
$server->node->append_conf('postgresql.conf', "ssl_ca_file = '$certs->{dir}/trusted.crt'");
$server->start;
$server->sql(qq{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE shown LOGIN; CREATE ROLE "\xc3\xb6" LOGIN;
	CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
	CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'});
# its name is the one byte of Latin-1
$server->sql(q{CREATE ROLE U&"\\00F6" LOGIN}, 'latin1');

my $n = 0;

sub cert
{
	my (%how) = @_;
	return $certs->client('case' . $n++, issuer => $root, subject => '/CN=x', ($n > 1 ? (key_name => 'case0') : ()), %how);
}

sub pem { return $server->literal(PostgreSQL::Test::Utils::slurp_file($_[0]->{chain})) }

# A login by this certificate: 'in', or what was not met; then the message, the line in
# the log and the reasons in rejections.
sub login
{
	my ($cert, $policy, %to) = @_;
	my $user = $to{user} // 'app';
	my $offset = $server->log_offset;
	$server->label(role => { $user => $policy }) if defined $policy;
	$server->sql('SELECT sslpolicy.reset_statistics()');
	my $result = $server->login(user => $user, sslmode => 'require', cert => $cert, %to);
	return ('in', '', '', '') if $result->{ok};
	my ($log) = $server->log_since($offset) =~ /(Refused: .*)/;
	return ($result->{failed}, $result->{err}, $log // '',
		$server->sql(q{SELECT array_to_string(reasons, '; ') FROM sslpolicy.rejections WHERE source = 'policy'}));
}

# What explain() finds for the names, or for another requirement.
sub actual
{
	my ($cert, $requirement) = @_;
	return $server->sql("SELECT actual FROM sslpolicy.explain('app', 'postgres', '127.0.0.1', true, certificate => "
		  . pem($cert) . ") WHERE requirement = '$requirement'");
}

subtest 'user principal names' => sub {
	my @cases = (
		[ 'the role', ["upn:app\@corp.example"], 'san=upn:%u@corp.example', 'in' ],
		[ 'among other names', [ 'dns:a', "upn:app\@corp.example", 'email:b@c' ], 'san=upn:%u@corp.example', 'in' ],
		[ 'one of several values', ["upn:bob\@corp"], 'san=upn:alice@corp san=upn:bob@corp', 'in' ],
		[ 'by regex', ["upn:app\@b.corp"], 'san=upn:/^%u@[ab]\\\\.corp$', 'in' ],
		[ 'another', ["upn:bob\@corp.example"], 'san=upn:%u@corp.example', 'san' ],
		[ 'in another case', ["upn:App\@corp.example"], 'san=upn:%u@corp.example', 'san' ],
		[ 'domain in another case', ["upn:app\@CORP.example"], 'san=upn:%u@corp.example', 'san' ],
		[ 'is no e-mail address', ["email:app\@corp"], 'san=upn:%u@corp', 'san' ],
		[ 'and an e-mail address none', ["upn:app\@corp"], 'san=email:%u@corp', 'san' ],
		[ 'letters', ["upn:b\xc3\xb6b\@corp"], "san=upn:b\xc3\xb6b\@corp", 'in' ],
		[ 'or a CN', ["upn:bob\@corp"], 'cn=x san=upn:%u@corp', 'in' ]);
	for my $case (@cases)
	{
		my ($name, $sans, $policy, $expect) = @$case;
		my $cert = cert(san => $sans);
		is((login($cert, $policy))[0], $expect, "$name: $policy");
		my $shown = join ',', @$sans;
		for my $from ('connection()', 'sessions WHERE pid = pg_backend_pid()')
		{
			is($server->login(user => 'shown', sslmode => 'require', cert => $cert,
					sql => "SELECT array_to_string(client_sans, ',') FROM sslpolicy.$from")->{out},
				$shown, "$name: $from");
		}
	}
	my $cert = cert(san => ["upn:bob\@corp"]);
	my (undef, $err, $log, $reasons) = login($cert, 'san=upn:%u@corp');
	like($err, qr/Not met: san \(the certificate does not name the role\)/, 'what the client reads');
	like($log, qr/ san="upn:bob\@corp"; required: san=upn:%u\@corp /, 'what the log has');
	like($reasons, qr/^san=upn:%u\@corp \(/, 'what rejections has');
	is(actual($cert, 'san'), 'san=upn:bob@corp', 'what explain() finds');
};

subtest 'no user principal names' => sub {
	my @cases = (
		[ 'two', [ "upn:app\@corp", "upn:bob\@corp" ], qr/several UPNs/, "upn:app\@corp,upn:bob\@corp" ],
		[ 'twice the same', [ "upn:app\@corp", "upn:app\@corp" ], qr/several UPNs/, "upn:app\@corp,upn:app\@corp" ],
		[ 'one and none', [ "upn:app\@corp", [ rawother => "$UPN;\x05\x00" ] ], qr/several UPNs/, "upn:app\@corp,badupn:#0500" ],
		[ 'a NUL', ["upn:app\@corp\0.evil"], qr/SAN that is not valid/, 'badupn:#0c0e61707040636f7270002e6576696c' ],
		[ 'a NUL at the end', ["upn:app\@corp\0"], qr/SAN that is not valid/, 'badupn:#0c0961707040636f727000' ],
		[ 'bad UTF-8', ["upn:app\@corp\xf6"], qr/SAN that is not valid/, 'badupn:#0c0961707040636f7270f6' ],
		[ 'OCTET STRING', [ [ rawother => "$UPN;\x04\x08app\@corp" ] ], qr/SAN that is not valid/, 'badupn:#040861707040636f7270' ],
		[ 'TeletexString', [ [ rawother => "$UPN;\x14\x08app\@corp" ] ], qr/SAN that is not valid/, 'badupn:#140861707040636f7270' ],
		[ 'SEQUENCE', [ [ rawother => "$UPN;\x30\x0a\x0c\x08app\@corp" ] ], qr/SAN that is not valid/, 'badupn:#300a0c0861707040636f7270' ],
		[ 'another OID', ["othername:1.3.6.1.4.1.311.20.2.4;app\@corp"], undef, 'othername:1.3.6.1.4.1.311.20.2.4' ]);
	for my $case (@cases)
	{
		my ($name, $sans, $reason, $shown) = @$case;
		my $cert = cert(san => $sans);
		for my $policy ('san=upn:%u@corp', 'san=upn:/^.*$')
		{
			my ($failed, $err, $log, $reasons) = login($cert, $policy);
			is($failed, 'san', "$name: $policy");
			like($_, $reason // qr/./, "$name: and why") for $err, $log, $reasons;
		}
		is($server->login(user => 'shown', sslmode => 'require', cert => $cert,
				sql => "SELECT array_to_string(client_sans, ',') FROM sslpolicy.connection()")->{out},
			$shown, "$name: shown");
	}
	# trailing bytes: OpenSSL reads none of the names, so there is no certificate to speak of
	my $cert = cert(subject => '/CN=app', san => [ [ rawother => "$UPN;\x0c\x08app\@corp\x0c\x01x" ] ]);
	for my $policy ('san=upn:%u@corp', 'cn=app', 'sslmode=verify-ca')
	{
		isnt((login($cert, $policy))[0], 'in', "trailing bytes: $policy");
	}
	# in other types of string that leave no doubt
	for my $der ("\x13\x08app corp", "\x16\x08app\@corp", "\x1e\x10\0a\0p\0p\0\@\0c\0o\0r\0p")
	{
		my $upn = substr($der, 0, 1) eq "\x13" ? 'app corp' : 'app@corp';
		is((login(cert(san => [ [ rawother => "$UPN;$der" ] ]), "san='upn:$upn'"))[0], 'in', 'type ' . ord $der);
	}
};

subtest 'several CNs' => sub {
	my $cert = cert(subject => '/DC=local/DC=corp/CN=Users/CN=Alice Smith');
	for my $policy (q{cn='Alice Smith'}, 'sslmode=verify-full', 'cn=/^.*$')
	{
		my ($failed, $err, $log, $reasons) = login($cert, $policy);
		is($failed, 'cn', $policy);
		like($err, qr/Not met: cn \(the certificate has several CNs and does not name the role\)\./, "$policy: client");
		like($log, qr/ \(policy of role "app", rule 1; the certificate has several CNs\)/, "$policy: log");
		like($reasons, qr/; the certificate has several CNs\)$/, "$policy: rejections");
		is(actual($cert, 'cn'), 'several CNs', "$policy: explain()");
	}
	is((login($cert, q{dn='CN=Alice Smith,CN=Users,DC=corp,DC=local'}))[0], 'in', 'by DN');
	unlike((login($cert, 'dn=CN=x'))[1], qr/several/, 'where the CN is not asked for, it is no reason');
	unlike((login(cert(), 'cn=y'))[1], qr/several/, 'nor with one CN');
};

subtest 'strings that do not fit their type' => sub {
	my $utf8 = "\xc3\xb6";
	my $flaw = qr/bytes do not fit its string type/;
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE U&"\00F6" IS 'sslmode=verify-full'}, 'latin1');
	for my $type (qw(printable ia5 numeric))
	{
		for my $bytes ("\xf6", $utf8)
		{
			my $what = $type . ' ' . unpack 'H*', $bytes;
			my $cert = cert(subject => [ [ CN => { $type => $bytes } ] ]);
			my $tag = { printable => 13, ia5 => 16, numeric => 12 }->{$type};
			my $hex = "CN=#$tag" . sprintf('%02X', length $bytes) . uc unpack 'H*', $bytes;
			for my $policy ('sslmode=verify-full', 'cn=%u', 'cn=/^.*$')
			{
				my ($failed, $err, $log, $reasons) = login($cert, $policy, user => $utf8);
				is($failed, 'cn', "$what: $policy");
				like($_, $flaw, "$what: and why") for $err, $log, $reasons;
				like($log, qr/subject="\Q$hex\E"/, "$what: the subject in the log");
			}
			for my $policy ('dn=CN=%u', 'dn=/^.*$')
			{
				my ($failed, $err) = login($cert, $policy, user => $utf8);
				is($failed, 'dn', "$what: $policy");
				like($err, $flaw, "$what: and why");
			}
			# the role of the very byte, which core would let in by method cert
			for my $db (qw(latin1 ascii))
			{
				is($server->login(user => "\xf6", db => $db, sslmode => 'require', cert => $cert)->{failed}, 'cn', "$what: role of one byte, $db");
			}
		}
	}
	# what fits its type, in whatever type
	is((login(cert(subject => [ [ CN => { $_->[0] => $_->[1] } ] ]), 'sslmode=verify-full', user => $utf8))[0], 'in', "$_->[0] fits")
	  for [ utf8 => "\x{f6}" ], [ t61 => "\xf6" ];

	# another attribute: the DN is none, the CN is one
	my $cert = cert(subject => [ [ O => { printable => "Acm\xe9" } ], [ CN => 'app' ] ]);
	is((login($cert, 'sslmode=verify-full'))[0], 'in', 'a CN beside it');
	is((login($cert, $_))[0], 'dn', $_) for "dn='CN=app,O=Acm\xc3\xa9'", 'dn=/^CN=app,.*$';
	for my $policy (q{dn='CN=app,O=#130441636DE9'}, q{issuer='CN=Odd Root,O=#130441636DE9'})
	{
		like(($server->node->psql('postgres', "SELECT sslpolicy.check_policy(\$\$$policy\$\$)"))[2], qr/no certificate has a name that is printed like this/, "refused: $policy");
	}
	is(actual($cert, 'dn'), 'dn=CN=app,O=#130441636DE9, a subject with an attribute whose bytes do not fit its string type', 'explain()');

	# a CA: its DN is none, its fingerprint is
	$cert = cert(subject => '/CN=app', issuer => $odd);
	for my $policy ("issuer='CN=Odd Root,O=Acm\xc3\xa9'")
	{
		my ($failed, $err, $log, $reasons) = login($cert, $policy);
		is($failed, 'issuer', $policy);
		like($_, $flaw, "$policy: and why") for $err, $log, $reasons;
	}
	is((login($cert, "ca_fingerprint=$odd->{fingerprint}"))[0], 'in', 'ca_fingerprint');
	$server->label(role => { app => "issuer='CN=Odd Root,O=Acm\xc3\xa9'" });
	is($server->sql("SELECT count(*) FROM sslpolicy.lint() WHERE code = 'issuer_unknown'"), 1, 'lint knows that no CA has that DN');

	# alternative names
	for my $type (qw(dns email uri))
	{
		$cert = cert(san => ["$type:$utf8"]);
		for my $policy ("san=$type:%u", "san=$type:/^.*\$")
		{
			my ($failed, $err) = login($cert, $policy, user => $utf8);
			is($failed, 'san', $policy);
			like($err, qr/has a SAN that is not valid in its type/, "$policy: and why");
		}
		is($server->login(user => 'shown', sslmode => 'require', cert => $cert,
				sql => 'SELECT client_sans[1] FROM sslpolicy.connection()')->{out}, "bad$type:$utf8", "$type: shown");
	}
};

subtest 'max_lifetime' => sub {
	my $start = time;
	my $lives = sub {
		my ($before, $after) = @_;
		return cert(subject => '/CN=app', not_before => $start - $before, not_after => $start + $after);
	};
	my $aws = $lives->(3600, $DAY);
	is((login($aws, 'sslmode=verify-full max_lifetime=24h'))[0], 'in', 'a day, and an hour before');
	is(actual($aws, 'max_lifetime'), '1d 1h, within the grace of 1h 5min', 'explain()');
	is((login($lives->(600, $DAY), 'max_lifetime=24h'))[0], 'in', 'a day, and ten minutes before');
	is((login($lives->(3600, 3600), 'max_lifetime=1h'))[0], 'max_lifetime', 'an hour, and an hour before');
	is((login($lives->(0, 7200 + 360), 'max_lifetime=2h'))[0], 'in', 'a twentieth more');
	is((login($lives->(0, 7200 + 361), 'max_lifetime=2h'))[0], 'max_lifetime', 'and a second');

	my $long = $lives->(3600, $DAY + 301);
	my ($failed, $err, $log, $reasons) = login($long, 'sslmode=verify-full max_lifetime=24h');
	is($failed, 'max_lifetime', 'longer than the grace');
	my $why = 'the certificate is valid for 1d 1h 5min 1s, but at most 1d plus 1h 5min of grace is allowed';
	like($err, qr/Not met: max_lifetime \(\Q$why\E\)\./, 'what the client reads');
	like($err, qr/HINT:  .* a certificate that is valid for a shorter time/, 'and what to do');
	unlike($err, qr/issued for this role/, 'but nothing that it does already');
	like($log, qr/required: max_lifetime=1d \(policy of role "app", rule 1; \Q$why\E\)/, 'what the log has');
	like($reasons, qr/\Q$why\E/, 'what rejections has');
	is(actual($long, 'max_lifetime'), '1d 1h 5min 1s, beyond the grace of 1h 5min', 'explain() of it');
	like((login($long, 'cn=bob max_lifetime=24h'))[1], qr/HINT:  .* issued for this role and is valid for a shorter time/, 'both');
	unlike((login($long, 'cn=bob'))[1], qr/shorter/, 'the name alone');
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
