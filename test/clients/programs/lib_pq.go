// lib/pq.  lib_pq login URI | pool URI
package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"

	_ "github.com/lib/pq"
)

func main() {
	db, err := sql.Open("postgres", os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var user string
	err = db.QueryRow("SELECT session_user").Scan(&user)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if os.Args[1] == "login" {
		fmt.Println("let in as", user)
		return
	}
	fmt.Println("ready\n--")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var one int
		if err := db.QueryRow("SELECT 1").Scan(&one); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("OK")
		}
		fmt.Println("--")
	}
}
