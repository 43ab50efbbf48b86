# SSLPolicy::Certs::DER - the DER encoding that SSLPolicy::Certs needs.
#
# This file is responsible for turning Perl values into DER: the primitives,
# distinguished names and GeneralNames.  It knows nothing of files, keys or
# openssl.  It encodes what it is told, valid or not, because the tests want
# certificates that no well-behaved tool would make.
package SSLPolicy::Certs::DER;

use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use Encode ();
use Exporter qw(import);
use Math::BigInt;
use POSIX ();
use Socket qw(AF_INET AF_INET6 inet_pton);

our @EXPORT_OK = qw(bit_string general_name integer name octet_string oid parse
  seq time_of tlv true);

# Mistakes in the arguments are the test's, not those of the module between.
our @CARP_NOT = qw(SSLPolicy::Certs);

# Attribute types of a name.  Anything else can be given as a dotted OID.
my %ATTRIBUTE = (
	CN           => '2.5.4.3',
	SN           => '2.5.4.4',
	serialNumber => '2.5.4.5',
	C            => '2.5.4.6',
	L            => '2.5.4.7',
	ST           => '2.5.4.8',
	street       => '2.5.4.9',
	O            => '2.5.4.10',
	OU           => '2.5.4.11',
	title        => '2.5.4.12',
	description  => '2.5.4.13',
	GN           => '2.5.4.42',
	dnQualifier  => '2.5.4.46',
	UID          => '0.9.2342.19200300.100.1.1',
	DC           => '0.9.2342.19200300.100.1.25',
	emailAddress => '1.2.840.113549.1.9.1');

# String types of an attribute value: the tag, and the encoding of the
# characters given.  Without an encoding the value is the very bytes to store,
# which is what makes a string that is invalid in its own type.
my %STRING = (
	utf8          => [ 0x0c, 'UTF-8' ],
	bmp           => [ 0x1e, 'UTF-16BE' ],
	universal     => [ 0x1c, 'UTF-32BE' ],
	raw_utf8      => [0x0c],
	raw_bmp       => [0x1e],
	raw_universal => [0x1c],
	printable     => [0x13],
	t61           => [0x14],
	ia5           => [0x16],
	numeric       => [0x12]);

# What a plain scalar becomes, as openssl itself would choose.
my %DEFAULT_STRING = (
	C            => 'printable',
	serialNumber => 'printable',
	dnQualifier  => 'printable',
	DC           => 'ia5',
	emailAddress => 'ia5');

###############################################################################
# Primitives

sub tlv
{
	my ($tag, $body) = @_;
	my $length = length $body;
	return pack('CC', $tag, $length) . $body if $length < 0x80;
	(my $bytes = pack 'N', $length) =~ s/\A\0+//;
	return pack('CC', $tag, 0x80 | length $bytes) . $bytes . $body;
}

sub seq { return tlv(0x30, join '', @_); }

sub true { return tlv(0x01, "\xff"); }

sub octet_string { return tlv(0x04, $_[0]); }

# Of whole bytes.
sub bit_string { return tlv(0x03, "\0" . $_[0]); }

sub oid
{
	my ($text) = @_;
	croak "bad OID: $text" unless $text =~ /\A[0-2](?:\.[0-9]+)+\z/;
	my ($first, $second, @arc) = split /\./, $text;
	# BER compressed integers are just what the arcs of an OID are.
	return tlv(0x06, pack 'w*', $first * 40 + $second, @arc);
}

# Takes a Math::BigInt; two's complement in the fewest bytes.
sub integer
{
	my ($number) = @_;
	my $bytes = 1;
	my $limit = Math::BigInt->new(0x80);
	while ($number >= $limit || $number < -$limit)
	{
		$bytes++;
		$limit *= 256;
	}
	my $unsigned = $number < 0 ? $number + $limit * 2 : $number;
	my $hex = substr $unsigned->as_hex, 2;
	return tlv(0x02, pack 'H*', '0' x (2 * $bytes - length $hex) . $hex);
}

sub time_of
{
	my ($epoch) = @_;
	my @tm   = gmtime $epoch;
	my $year = $tm[5] + 1900;
	croak "no certificate can say the year $year" if $year < 0 || $year > 9999;
	my $rest = POSIX::strftime('%m%d%H%M%SZ', @tm);
	# RFC 5280: UTCTime, with its two digits, stands for these years only.
	return $year >= 1950 && $year <= 2049
	  ? tlv(0x17, sprintf '%02d%s', $year % 100, $rest)
	  : tlv(0x18, sprintf '%04d%s', $year, $rest);
}

# The contents of the first element, and what follows it.
sub parse
{
	my ($der) = @_;
	my $length = unpack 'xC', $der;
	my $header = 2;
	if ($length & 0x80)
	{
		my $bytes = $length & 0x7f;
		$length = hex unpack 'H*', substr $der, 2, $bytes;
		$header += $bytes;
	}
	return (substr($der, $header, $length), substr($der, $header + $length));
}

###############################################################################
# Names

# Takes 'type:value' or [ type => value ].  The types are dns, email, uri, ip,
# rid (an OID), dirname (a subject), othername ('OID;text'), rawother ('OID;bytes',
# the DER of the value), upn (a user principal name), and rawip, which is the bytes of an
# address so that their number may be wrong.
sub general_name
{
	my ($san) = @_;
	my ($type, $value) = ref $san ? @$san : split /:/, $san, 2;
	croak "bad SAN: $san" unless defined $value;
	return tlv(0xa4, name($value)) if $type eq 'dirname';
	croak "SAN $type is not bytes" unless utf8::downgrade($value, 1);
	return tlv(0x81, $value) if $type eq 'email';
	return tlv(0x82, $value) if $type eq 'dns';
	return tlv(0x86, $value) if $type eq 'uri';
	return tlv(0x87, $value) if $type eq 'rawip';
	return tlv(0x88, substr oid($value), 2) if $type eq 'rid';
	if ($type eq 'ip')
	{
		my $bytes = inet_pton($value =~ /:/ ? AF_INET6 : AF_INET, $value);
		croak "bad address: $value" unless defined $bytes;
		return tlv(0x87, $bytes);
	}
	return general_name([ othername => "1.3.6.1.4.1.311.20.2.3;$value" ]) if $type eq 'upn';
	if ($type eq 'rawother')
	{
		my ($oid, $der) = split /;/, $value, 2;
		return tlv(0xa0, oid($oid) . tlv(0xa0, $der));
	}
	if ($type eq 'othername')
	{
		my ($oid, $text) = split /;/, $value, 2;
		croak "bad othername: $value" unless defined $text;
		return tlv(0xa0, oid($oid) . tlv(0xa0, tlv(0x0c, $text)));
	}
	croak "unknown type of SAN: $type";
}

# Takes a string or a list of RDNs, see the subject option of SSLPolicy::Certs.
sub name
{
	my ($subject) = @_;
	$subject = _parse_subject($subject) unless ref $subject;
	my @rdn;
	for my $rdn (@$subject)
	{
		my @pair = @$rdn;
		croak 'an RDN is a list of type and value' if @pair < 2 || @pair % 2;
		my @attribute;
		while (my ($type, $value) = splice @pair, 0, 2)
		{
			push @attribute,
			  seq(oid($ATTRIBUTE{$type} || $type), _string($type, $value));
		}
		# DER wants the members of a set in order.
		push @rdn, tlv(0x31, join '', sort @attribute);
	}
	return seq(@rdn);
}

# Reads '/CN=a/O=b'; a plus sign is an ordinary character here.
sub _parse_subject
{
	my ($text) = @_;
	my @rdn;
	croak "bad subject: $text" unless $text =~ m{\A(?:/(?:[^/\\]|\\.)+)*\z}s;
	while ($text =~ m{/((?:[^/\\]|\\.)+)}gs)
	{
		my ($type, $value) = split /=/, $1, 2;
		croak "bad subject: $text" unless defined $value;
		$value =~ s/\\(.)/$1/gs;
		push @rdn, [ $type => $value ];
	}
	return \@rdn;
}

sub _string
{
	my ($type, $value) = @_;
	$value = { $DEFAULT_STRING{$type} || 'utf8' => $value } unless ref $value;
	my ($kind, $text) = %$value;
	croak "value of $type has no single string type" unless keys %$value == 1;
	my ($tag, $encoding) = @{ $STRING{$kind} || croak "unknown string type: $kind" };
	return tlv($tag, Encode::encode($encoding, $text, Encode::FB_CROAK))
	  if $encoding;
	croak "value of $type is not bytes" unless utf8::downgrade($text, 1);
	return tlv($tag, $text);
}

1;
