# Certificate revocation lists for tests.
package SSLPolicy::Crls;

use strict;
use warnings;
use Exporter qw(import);
use Math::BigInt;

our @EXPORT_OK = qw(make_crl write_file);

# make_crl(certs, ca, number, options): a CRL in PEM, signed by the CA of that
# name in an SSLPolicy::Certs.  Without a number and extensions, it is of version 1.
# Options:
#	revoked     names of certificates
#	fill        how many serial numbers that nobody has are revoked as well
#	days        until nextUpdate (default 30)
#	next        nextUpdate in Unix time, in place of days; can be in the past
#	delta       number of the CRL that this one only adds to
#	point       its issuing distribution point, as lines of an openssl section
#	issued      thisUpdate in Unix time
#	extension   true for one more extension, that means nothing
sub make_crl
{
	my ($certs, $ca, $number, %opt) = @_;
	my $dir = $certs->{dir};
	my @extensions = ((defined $opt{delta} ? sprintf '2.5.29.27=critical,DER:0201%02X', $opt{delta} : ()),
		(defined $opt{point} ? 'issuingDistributionPoint=critical,@idp' : ()),
		($opt{extension} ? '1.2.3.4=DER:0500' : ()));
	write_file("$dir/crl.cnf",
		"[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index.txt\ndefault_md=sha256\n"
		  . (defined $number ? "crlnumber=$dir/crlnumber\n" : '')
		  . (@extensions ? join("\n", 'crl_extensions=e', '[e]', @extensions, '') : '')
		  . (defined $opt{point} ? "[idp]\n$opt{point}\n" : ''));
	write_file("$dir/crlnumber", sprintf("%04X\n", $number // 0));
	write_file("$dir/index.txt", join '', (map {
		sprintf "R\t391231000000Z\t250101000000Z,keyCompromise\t%s\tunknown\t/CN=x\n",
		  uc(Math::BigInt->new($certs->get($_)->{serial})->as_hex =~ s/^0x//r =~ s/^(.(?:..)*)$/0$1/r)
	} @{ $opt{revoked} // [] }), map { sprintf "R\t391231000000Z\t250101000000Z\t7F%08X\tunknown\t/CN=x\n", $_ } 1 .. $opt{fill} // 0);
	my @until = ('-crldays', $opt{days} // 30);
	if (defined $opt{next} || defined $opt{issued})
	{
		my $next = $opt{next} // time + 86400 * 30;
		my @t = gmtime $next;
		my @l = gmtime($opt{issued} // ($next < time ? $next - 4 : time - 60));
		my $format = sub { sprintf '%04d%02d%02d%02d%02d%02dZ', $_[5] + 1900, $_[4] + 1, @_[ 3, 2, 1, 0 ] };
		@until = ('-crl_lastupdate', $format->(@l), '-crl_nextupdate', $format->(@t));
	}
	open my $out, '-|', 'openssl', 'ca', '-gencrl', '-config', "$dir/crl.cnf", @until,
	  '-cert', "$dir/$ca.crt", '-keyfile', "$dir/$ca.key" or die "openssl: $!";
	my $pem = do { local $/; <$out> };
	close $out or die "openssl ca -gencrl failed";
	return $pem;
}

# Replace a file at once, as one should.
sub write_file
{
	my ($path, @text) = @_;
	open my $fh, '>', "$path.new" or die "$path: $!";
	binmode $fh;
	print $fh @text;
	close $fh or die "$path: $!";
	rename "$path.new", $path or die "$path: $!";
	return;
}

1;
