// pgx 4.  pgx login URI | pool URI
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"os"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

func fail(err error) {
	fmt.Println(err)
	os.Exit(1)
}

func login(uri string) {
	config, err := pgx.ParseConfig(uri)
	if err != nil {
		fail(err)
	}
	// pgx does not know this variable of libpq
	if os.Getenv("PGSSLMAXPROTOCOLVERSION") == "TLSv1.2" {
		config.TLSConfig.MaxVersion = tls.VersionTLS12
	}
	connection, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		fail(err)
	}
	var user string
	if err := connection.QueryRow(context.Background(), "SELECT session_user").Scan(&user); err != nil {
		fail(err)
	}
	fmt.Println("let in as", user)
}

func pool(uri string) {
	pool, err := pgxpool.Connect(context.Background(), uri)
	if err != nil {
		fail(err)
	}
	fmt.Println("ready\n--")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var one int
		if err := pool.QueryRow(context.Background(), "SELECT 1").Scan(&one); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("OK")
		}
		fmt.Println("--")
	}
}

func main() {
	if os.Args[1] == "pool" {
		pool(os.Args[2])
	} else {
		login(os.Args[2])
	}
}
