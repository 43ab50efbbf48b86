# Ruby's pg.  ruby_pg.rb login CONNINFO | version
require 'pg'

if ARGV[0] == 'version'
  puts PG::VERSION
  exit
end
begin
  connection = PG.connect(ARGV[1])
  puts "let in as #{connection.exec('SELECT session_user').getvalue(0, 0)}"
rescue PG::Error => e
  puts e.message
  exit 1
end
