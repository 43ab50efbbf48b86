# DBD::Pg.  dbd_pg.pl login DSN | version
use strict;
use warnings;
use DBI;
use DBD::Pg;

if ($ARGV[0] eq 'version')
{
	print "$DBD::Pg::VERSION\n";
	exit;
}
my $db = DBI->connect($ARGV[1], undef, undef, { PrintError => 0, RaiseError => 0 });
if (!$db)
{
	print "$DBI::errstr\n";
	exit 1;
}
print 'let in as ', $db->selectrow_array('SELECT session_user'), "\n";
