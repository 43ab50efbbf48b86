# SSLPolicy::Certs - certificates for the tests, hostile ones included.
#
# This file is responsible for making X.509 keys and certificates in a
# directory, by means of the openssl command line and without any network.
#
# The openssl command line refuses, or silently repairs, most of what a hostile
# client can put into a certificate (a NUL in a name, a negative serial, a
# string in the wrong encoding, a validity in the past).  So every certificate,
# ordinary or hostile, is put together here: the code below encodes the
# TBSCertificate, with the DER of SSLPolicy::Certs::DER, and openssl only makes
# keys and signs.  There is one way to make a certificate, hence no case that
# only some of them take.
#
#   my $c    = SSLPolicy::Certs->new(dir => $dir);
#   my $ca   = $c->ca('root');
#   my $srv  = $c->server('server', issuer => $ca);
#   my $crt  = $c->client('app', issuer => $ca, subject => '/CN=app/O=Acme');
#
# ca, intermediate, server and client return a hash reference:
#
#   name         the name it was made under
#   cert, key    paths of the PEM files; the key is mode 0600
#   chain        path of the certificate followed by its intermediates
#   fingerprint  SHA-256 of the DER, in lower-case hexadecimal
#   subject      as "openssl x509 -nameopt RFC2253" prints it
#   serial       in decimal
#
# and take these options, all of them optional but issuer:
#
#   issuer      what ca or intermediate returned, or its name; 'self' makes a
#               self-signed certificate that is not a CA
#   subject     '/CN=app/O=Acme' (a backslash escapes a slash), or a list of
#               RDNs: [ [ CN => 'app' ], [ O => { bmp => 'Acme' } ] ]; more than
#               one pair makes an RDN multi-valued; [] is the empty name.
#               Default: CN is the name.  A plain value is characters, not bytes;
#               see %STRING in SSLPolicy::Certs::DER for the string types.
#   san         list of 'type:value', or [ type => value ], of any bytes; see
#               general_name in SSLPolicy::Certs::DER
#   serial      decimal, or hexadecimal after 0x; may be negative
#   not_before, not_after   epoch seconds
#   days        validity from now on (or from a later not_before); default 365
#   version     3, or 1 for a certificate without extensions
#   key         EC:<curve>, RSA:<bits> or the name of an algorithm that signs
#               without a separate digest (ED25519, ED448, ML-DSA-65);
#               default EC:P-256
#   key_name    use the key of this other name instead of making one
#   eku         list of serverAuth, clientAuth or dotted OIDs; default none, of
#               server serverAuth
#   extensions  further ones: list of [ oid, critical, DER of the value ]
#   malformed   true if openssl is expected to refuse to parse the result; then
#               subject is undef if it does, instead of an exception
package SSLPolicy::Certs;

use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use Digest::SHA qw(sha1 sha256_hex);
use File::Path qw(make_path);
use File::Spec;
use List::Util qw(max min);
use Math::BigInt;
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use SSLPolicy::Certs::DER qw(bit_string general_name integer name octet_string
  oid parse seq time_of tlv true);

my $HOUR = 3600;
my $DAY  = 24 * $HOUR;

my %EKU = (
	serverAuth => '1.3.6.1.5.5.7.3.1',
	clientAuth => '1.3.6.1.5.5.7.3.2');

my %OPTION = map { $_ => 1 } qw(issuer subject san serial not_before not_after
  days version key key_name eku extensions malformed);

###############################################################################
# Interface

sub new
{
	my ($class, %arg) = @_;
	my $dir = $arg{dir};
	croak 'dir is missing' unless defined $dir && length $dir;
	# A server is given these paths and does not run in the same directory.
	$dir = File::Spec->rel2abs($dir);
	make_path($dir, { mode => 0700 });
	chmod 0700, $dir or croak "chmod $dir: $!";
	return bless {
		dir     => $dir,
		openssl => $ENV{OPENSSL} || 'openssl',
		made    => {},
		spki    => {}
	}, $class;
}

sub ca
{
	my ($self, $name, %opt) = @_;
	return $self->_make($name, { %opt, issuer => 'self' }, 1);
}

sub intermediate
{
	my ($self, $name, %opt) = @_;
	return $self->_make($name, \%opt, 1);
}

sub server
{
	my ($self, $name, %opt) = @_;
	$opt{san} = [ 'dns:localhost', 'ip:127.0.0.1', 'ip:::1' ]
	  unless exists $opt{san} || ($opt{version} || 3) == 1;
	$opt{eku} = ['serverAuth'] unless exists $opt{eku} || ($opt{version} || 3) == 1;
	return $self->_make($name, \%opt, 0);
}

sub client
{
	my ($self, $name, %opt) = @_;
	return $self->_make($name, \%opt, 0);
}

# What was made under this name.
sub get
{
	my ($self, $name) = @_;
	return $name if ref $name;
	return $self->{made}{$name} || croak "no certificate is named $name";
}

# Of the first certificate in a PEM file.
sub fingerprint
{
	my ($self, $file) = @_;
	open my $fh, '<:raw', $file or croak "open $file: $!";
	my $text = do { local $/; <$fh> };
	$text =~ /-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----/s
	  or croak "no certificate in $file";
	return sha256_hex(decode_base64($1));
}

# A relative $outfile is below the directory of this object.
sub bundle
{
	my ($self, $outfile, @names) = @_;
	my $path = File::Spec->rel2abs($outfile, $self->{dir});
	_write($path, 0644, join '', map { $self->get($_)->{_pem} } @names);
	return $path;
}

###############################################################################
# Making one certificate

sub _make
{
	my ($self, $name, $opt, $is_ca) = @_;
	croak "bad name for a file: $name" unless $name =~ /\A\w[\w.-]*\z/;
	for my $o (sort keys %$opt)
	{
		croak "unknown option $o" unless $OPTION{$o};
	}
	croak 'issuer is missing' unless defined $opt->{issuer};
	my $self_signed = $opt->{issuer} eq 'self';
	my $issuer = $self_signed ? undef : $self->get($opt->{issuer});

	my $version = $opt->{version} || 3;
	croak "version $version is neither 1 nor 3" unless $version =~ /\A[13]\z/;
	for my $o (qw(san eku extensions))
	{
		croak "$o needs version 3" if $version == 1 && $opt->{$o};
	}

	my $key  = $self->_key($name, $opt);
	my $spki = $self->_spki($key);
	my $dn   = name(exists $opt->{subject} ? $opt->{subject} : [ [ CN => $name ] ]);
	my $ski  = sha1($spki->{bits});
	my $signer    = $issuer ? $issuer->{key} : $key;
	my $algorithm = _signature_algorithm($self->_spki($signer));
	my $serial    = _serial($opt->{serial});

	my $tbs = seq(
		$version == 3 ? tlv(0xa0, tlv(0x02, "\2")) : '',
		integer($serial),
		$algorithm->{der},
		$issuer ? $issuer->{_dn} : $dn,
		seq(map { time_of($_) } _validity($opt)),
		$dn,
		$spki->{der},
		$version == 3 ? _extensions($opt, $is_ca, $dn, $ski, $issuer) : '');
	my $signature = $self->_sign($signer, $algorithm, $tbs);
	my $der = seq($tbs, $algorithm->{der}, bit_string($signature));

	my $pem = join "\n", '-----BEGIN CERTIFICATE-----',
	  unpack('(A64)*', encode_base64($der, '')),
	  "-----END CERTIFICATE-----\n";
	# A root is the other side's to know, so it is not part of any chain.
	my $above = $issuer ? $issuer->{_below_root} : '';
	my %made = (
		name        => $name,
		cert        => "$self->{dir}/$name.crt",
		key         => $key,
		chain       => "$self->{dir}/$name.chain.crt",
		fingerprint => sha256_hex($der),
		serial      => $serial->bstr,
		_pem        => $pem,
		_dn         => $dn,
		_ski        => $version == 3 && $is_ca ? $ski : undef,
		_below_root => $self_signed ? '' : $pem . $above);
	_write($made{cert}, 0644, $pem);
	_write($made{chain}, 0644, $pem . $above);
	$made{subject} = $self->_subject($made{cert}, $opt->{malformed});
	return $self->{made}{$name} = \%made;
}

# The path of the private key to use.
sub _key
{
	my ($self, $name, $opt) = @_;
	if (defined $opt->{key_name})
	{
		croak 'key and key_name exclude each other' if defined $opt->{key};
		my $made = $self->{made}{ $opt->{key_name} };
		my $path = $made ? $made->{key} : "$self->{dir}/$opt->{key_name}.key";
		croak "no key is named $opt->{key_name}" unless -f $path;
		return $path;
	}
	my $path = "$self->{dir}/$name.key";
	my $spec = $opt->{key} || 'EC:P-256';
	my @algorithm =
	    $spec =~ /\AEC:([\w-]+)\z/i ? ('EC', '-pkeyopt', "ec_paramgen_curve:$1")
	  : $spec =~ /\ARSA:(\d+)\z/i   ? ('RSA', '-pkeyopt', "rsa_keygen_bits:$1")
	  : $spec =~ /\A((?:ED|ML-DSA-|SLH-DSA-)[\w-]+)\z/i ? ($1)
	  :   croak "unknown kind of key: $spec";
	$self->_openssl('genpkey', '-algorithm', @algorithm, '-out', $path);
	chmod 0600, $path or croak "chmod $path: $!";
	delete $self->{spki}{$path};
	return $path;
}

# The public half of a key file: its SubjectPublicKeyInfo and the parts of it.
# Remembered, because keys are shared and each openssl costs milliseconds.
sub _spki
{
	my ($self, $key) = @_;
	return $self->{spki}{$key} ||= do
	{
		my $der = $self->_openssl('pkey', '-in', $key, '-pubout', '-outform', 'DER');
		my $body = (parse($der))[0];
		my ($algorithm, $rest) = parse($body);
		my ($bits) = parse($rest);
		{
			der       => $der,
			algorithm => $algorithm,
			bits      => substr($bits, 1)
		};
	};
}

# How a key of this kind signs.  The algorithms without a separate digest name
# the signature by the same AlgorithmIdentifier as the key.
sub _signature_algorithm
{
	my ($spki) = @_;
	my $kind = $spki->{algorithm};
	return { digest => 1, der => seq(oid('1.2.840.10045.4.3.2')) }
	  if 0 == index $kind, oid('1.2.840.10045.2.1');
	return { digest => 1, der => seq(oid('1.2.840.113549.1.1.11'), tlv(0x05, '')) }
	  if 0 == index $kind, oid('1.2.840.113549.1.1.1');
	return { digest => 0, der => seq($kind) };
}

sub _sign
{
	my ($self, $key, $algorithm, $tbs) = @_;
	# Through a file, as openssl 3.0 must know the size to sign without a digest.
	my $file = "$self->{dir}/.tbs.$$";
	_write($file, 0600, $tbs);
	my @command = $algorithm->{digest}
	  ? ('dgst', '-sha256', '-sign', $key, $file)
	  : ('pkeyutl', '-sign', '-rawin', '-inkey', $key, '-in', $file);
	my $signature = $self->_openssl(@command);
	unlink $file;
	return $signature;
}

# Asks openssl rather than format it here: tests compare with what the server
# made of the name.  It is also the check that what was encoded above parses.
sub _subject
{
	my ($self, $cert, $malformed) = @_;
	my ($out, $error) = $self->_run('x509', '-in', $cert, '-noout', '-subject',
		'-nameopt', 'RFC2253');
	if (defined $error)
	{
		return undef if $malformed;
		croak $error;
	}
	$out =~ s/\Asubject=//;
	chomp $out;
	return $out;
}

sub _validity
{
	my ($opt) = @_;
	my ($from, $to) = @$opt{qw(not_before not_after)};
	my $now  = time;
	my $days = defined $opt->{days} ? $opt->{days} : 365;
	# An hour more, so that the days that are left stay the same while a test runs.
	$to = max($now, defined $from ? $from : $now) + $days * $DAY + $HOUR unless defined $to;
	# An hour back, so that a clock a little behind this one accepts it.
	$from = min($now - $HOUR, $to - $DAY) unless defined $from;
	return ($from, $to);
}

# A default serial is random, so that two CAs of the same name stay apart; its
# first bit is clear to be positive and its second is set not to be zero.
sub _serial
{
	my ($serial) = @_;
	if (!defined $serial)
	{
		open my $fh, '<:raw', '/dev/urandom' or croak "open /dev/urandom: $!";
		read $fh, my $bytes, 8 or croak "read /dev/urandom: $!";
		$serial = sprintf '0x%02x%s', 0x40 | ord($bytes) & 0x3f,
		  unpack 'H*', substr $bytes, 1;
	}
	return Math::BigInt->new($serial) if $serial =~ /\A-?[0-9]+\z/;
	croak "bad serial: $serial" unless $serial =~ /\A(-?)0x([0-9a-f]+)\z/i;
	my $number = Math::BigInt->from_hex($2);
	return $1 ? $number->bneg : $number;
}

sub _extensions
{
	my ($opt, $is_ca, $dn, $ski, $issuer) = @_;
	my @ext;
	if ($is_ca)
	{
		push @ext, [ '2.5.29.19', 1, seq(true()) ],    # CA:TRUE
		  [ '2.5.29.15', 1, tlv(0x03, "\x01\x06") ],   # certSign, cRLSign
		  [ '2.5.29.14', 0, octet_string($ski) ];
	}
	push @ext, [ '2.5.29.35', 0, seq(tlv(0x80, $issuer->{_ski})) ]
	  if $issuer && defined $issuer->{_ski};
	if ($opt->{san})
	{
		# Critical if it is all that names the holder, as RFC 5280 demands.
		push @ext, [ '2.5.29.17', $dn eq name([]),
			seq(map { general_name($_) } @{ $opt->{san} }) ];
	}
	push @ext, [ '2.5.29.37', 0, seq(map { oid($EKU{$_} || $_) } @{ $opt->{eku} }) ]
	  if $opt->{eku};
	push @ext, @{ $opt->{extensions} || [] };
	return '' unless @ext;
	return tlv(0xa3, seq(map {
		my ($oid, $critical, $value) = @$_;
		seq(oid($oid), $critical ? true() : '', octet_string($value));
	} @ext));
}

###############################################################################
# Files and processes

sub _write
{
	my ($path, $mode, $bytes) = @_;
	open my $fh, '>:raw', $path or croak "open $path: $!";
	print {$fh} $bytes or croak "write $path: $!";
	close $fh or croak "close $path: $!";
	chmod $mode, $path or croak "chmod $path: $!";
	return;
}

# Runs openssl and returns its standard output.
sub _openssl
{
	my ($self, @arg) = @_;
	my ($output, $error) = $self->_run(@arg);
	croak $error if defined $error;
	return $output;
}

# The same, but what went wrong is the second thing returned.
sub _run
{
	my ($self, @arg) = @_;
	open my $err, '+>', undef or croak "open temporary file: $!";
	open my $null, '<', File::Spec->devnull or croak "open null device: $!";

	# A test may be ending with its own status, or ignore its children.
	local $? = 0;
	local $SIG{CHLD} = 'DEFAULT';
	my $pid = open my $out, '-|';
	croak "fork: $!" unless defined $pid;
	if (!$pid)
	{
		# By descriptor, since a test may have tied its standard handles, and
		# without any die, since that would run the test's END blocks here.
		no warnings;
		POSIX::dup2(fileno $null, 0);
		POSIX::dup2(fileno $err,  2);
		umask 077;
		exec { $self->{openssl} } $self->{openssl}, @arg;
		my $message = "$!\n";
		POSIX::write(2, $message, length $message);
		POSIX::_exit(127);
	}
	binmode $out;
	my $output = do { local $/; <$out> };
	close $out;
	return defined $output ? $output : '' unless $?;
	my $status = $?;
	seek $err, 0, 0;
	my $message = do { local $/; <$err> };
	return (undef, "$self->{openssl} @arg: wait status $status\n$message");
}

1;
