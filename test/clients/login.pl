# What real clients see.
#
# 1. For each, the main cases of the table of logins, and the text that its user reads.
# 2. What sslmode=prefer and allow do in those that have them.
# 3. The tables of docs/drivers.md say the same; UPDATE=1 writes them.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Drivers;
use SSLPolicy::DriversPage;

my $server = start_clients_server('real_clients');
my $certs = $server->certs;
my $port = $server->node->port;

# policy of the role app, what the client does, the reason that it must read; a login
# without a reason must succeed.  handshake: TLS refuses, in words of its own.
my @cases = (
	{ name => 'TLS, and no policy', sslmode => 'verify-full' },
	{ name => 'no TLS', policy => 'sslmode=require', sslmode => 'disable', reason => 'TLS is not in use' },
	{ name => 'no certificate', policy => 'sslmode=verify-ca', reason => 'no client certificate' },
	{ name => 'wrong name', policy => 'sslmode=verify-full', cert => 'mallory', reason => 'the certificate does not name the role' },
	{ name => 'right certificate', policy => 'sslmode=verify-full', cert => 'app' },
	{ name => 'blocked', policy => 'sslmode=verify-full', cert => 'blocked', blocked => 1, reason => 'sslpolicy.blocked_fingerprints' },
	{ name => 'revoked', policy => 'sslmode=verify-full', cert => 'revoked', list => 1, reason => 'is revoked' },
	{ name => 'reject', policy => 'sslmode=reject', cert => 'app', reason => 'no connection is accepted' },
	{ name => 'old TLS', policy => 'min_protocol=TLSv1.3', old_tls => 1, reason => 'TLS version too old' },
	{ name => 'cipher', policy => 'cipher=TLS_CHACHA20_POLY1305_SHA256', reason => 'cipher not accepted' },
	{ name => 'TLS where none may be', policy => 'sslmode=disable', reason => 'TLS is in use' },
	{ name => 'not by certificate', policy => 'sslmode=cert', cert => 'app', reason => 'not logged in by certificate' },
	{ name => 'expired', policy => 'sslmode=verify-full', cert => 'expired', handshake => 1 },
	{ name => 'unknown CA', policy => 'sslmode=verify-full', cert => 'stranger', handshake => 1 },
	{ name => 'revoked, in ssl_crl_file', policy => 'sslmode=verify-full', cert => 'revoked', crl => 1, handshake => 1 });


# Settings for the last case are not reset in between.
my %set;
sub prepare
{
	my ($case) = @_;
	my %want = (
		'sslpolicy.blocked_fingerprints' => $case->{blocked} ? $certs->get('blocked')->{fingerprint} : undef,
		'sslpolicy.crl_file' => $case->{list} ? "$certs->{dir}/list.pem" : undef,
		ssl_crl_file => $case->{crl} ? "$certs->{dir}/list.pem" : undef);
	my %change = map { $_ => $want{$_} } grep { ($want{$_} // '') ne ($set{$_} // '') } keys %want;
	$server->set(%change) if %change;
	%set = %want;
	$server->label(role => { app => $case->{policy} });
	return;
}

sub try_login
{
	my ($driver, %opt) = @_;
	my $cert = $opt{cert} ? $certs->get($opt{cert}) : {};
	my $result = login_by($driver, port => $port, root => "$certs->{dir}/root.crt", sslmode => $opt{sslmode} // 'verify-full',
		old_tls => $opt{old_tls}, cert => $cert->{cert}, key => $cert->{key}, pk8 => $cert->{pk8});
	$result->{text} = tidy($result->{text}, $port);
	return $result;
}

write_file("$certs->{dir}/list.pem", make_crl($certs, 'root', 1, revoked => ['revoked']));

###############################################################################
# 1

# The line that has sslpolicy's message, and that message
my $message = qr/(?:connection|client certificate) of role "app" (?:does not meet its TLS policy: )?[\w. ]+/;
sub line_of { my ($text) = @_; return $text =~ /^(.*$message.*)$/m ? $1 : $text =~ s/\n.*//sr }

# What a user reads of a refusal: { case of handshakes => text }, frame (what stands
# around the message), shows
my %seen;
for my $case (@cases)
{
	prepare($case);
	for my $driver (chosen())
	{
		next if $case->{old_tls} && !$driver->{old_tls};
		my $name = "$driver->{name}: $case->{name}";
		my $result = try_login($driver, %$case);
		my $text = $result->{text};
		my $seen = $seen{ $driver->{id} } //= {};
		note("$name, $result->{seconds} s:\n$text\n$result->{err}");
		if (!$case->{reason} && !$case->{handshake})
		{
			is($text, 'let in as app', "$name: let in") or diag($result->{err});
			next;
		}
		is($result->{ok}, 0, "$name: refused");
		unlike($text, qr/let in/, "$name: and not let in");
		$seen->{ $case->{name} } = line_of($text) if $case->{handshake};
		next unless $case->{reason};
		like($text, qr/\Q$case->{reason}\E/, "$name: the user reads why");
		my $frame = line_of($text) =~ s/$message/…/r;
		$seen->{frame} //= $frame;
		is($frame, $seen->{frame}, "$name: shown as other refusals are");
		next if $case->{name} ne 'no certificate';
		$seen->{line} = line_of($text);
		$seen->{shows} = join ', ', 'message', grep { $text =~ /\b$_:/i } qw(DETAIL HINT);
	}
}

###############################################################################
# 2

sub refused { return $server->sql(q{SELECT coalesce(sum(refused), 0) FROM sslpolicy.statistics WHERE role = 'app'}) }

for my $driver (grep { $_->{prefer} } chosen())
{
	my $seen = $seen{ $driver->{id} };
	prepare({ policy => 'sslmode=verify-ca' });
	my $before = refused();
	my $result = try_login($driver, sslmode => 'prefer');
	is($result->{ok}, 0, "$driver->{name}: prefer does not get past a policy");
	my $attempts = refused() - $before;
	is($attempts, $driver->{comes} // 2, "$driver->{name}: prefer: how often it tries");
	my @reasons = $result->{text} =~ /TLS policy: (\w+(?: \w+)*)/g;
	$seen->{prefer} = join '; ', @reasons;
	$seen->{attempts} = $attempts;

	prepare({ policy => 'sslmode=require' });
	$before = refused();
	$result = try_login($driver, sslmode => 'allow');
	my $refusals = refused() - $before;
	is($refusals, 1, "$driver->{name}: allow tries without TLS first");
	if (($driver->{comes} // 2) == 1)
	{
		like($result->{text}, qr/TLS is not in use/, "$driver->{name}: allow: and does not try again");
		$seen->{allow} = 'refused';
	}
	else
	{
		is($result->{text}, 'let in as app', "$driver->{name}: allow finds the way in by TLS") or diag($result->{err});
		$seen->{allow} = "let in, after $refusals refusal";
	}
}

###############################################################################
# 3

my @policy = map {
	my $seen = $seen{ $_->{id} };
	[ $_->{name}, version_of($_), $seen->{shows}, code($seen->{line}) ]
} chosen();
my @handshake = map {
	my $seen = $seen{ $_->{id} };
	[ $_->{name}, version_of($_), map { code($_) } @$seen{ 'expired', 'unknown CA', 'revoked, in ssl_crl_file' } ]
} chosen();
my @prefer = map {
	my $seen = $seen{ $_->{id} };
	[ $_->{name}, version_of($_), $seen->{attempts}, $seen->{prefer}, $seen->{allow} ]
} grep { $_->{prefer} } chosen();

page_table('policy', [ 'client', 'version', 'shows', 'no certificate' ], @policy);
page_table('handshake', [ 'client', 'version', 'expired', 'unknown CA', 'revoked, in `ssl_crl_file`' ], @handshake);
page_table('prefer', [ 'client', 'version', '`prefer`: attempts', '`prefer`: the reasons that it shows', '`allow`, where TLS is asked for' ], @prefer);
page_done();
done_testing();
