# asyncpg.  with_asyncpg.py login URI | pool URI | version
import asyncio
import sys
import asyncpg


async def login(uri):
    connection = await asyncpg.connect(uri)
    print("let in as", await connection.fetchval("SELECT session_user"))
    await connection.close()


async def pool(uri):
    async with asyncpg.create_pool(uri, min_size=2, max_size=2) as pool:
        print("ready\n--", flush=True)
        while await asyncio.get_event_loop().run_in_executor(None, sys.stdin.readline):
            try:
                await pool.fetchval("SELECT 1")
                print("OK")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                print(error)
            print("--", flush=True)


if sys.argv[1] == "version":
    print(asyncpg.__version__)
elif sys.argv[1] == "pool":
    asyncio.run(pool(sys.argv[2]))
else:
    try:
        asyncio.run(login(sys.argv[2]))
    except Exception as error:
        print(error)
        sys.exit(1)
