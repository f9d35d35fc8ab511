// May a key, read from stdin, do what the first argument names? Exit status 0: yes; 4: no, and why; else: nobody knows.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	key, err := io.ReadAll(os.Stdin)
	if err != nil || len(os.Args) != 2 {
		log.Fatal("give a key on stdin and a permission: ", err)
	}
	verdict, err := check(string(bytes.TrimSpace(key)), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Code)
	if !verdict.Valid {
		os.Exit(4)
	}
}

// Verdict is what a check came to.
type Verdict struct {
	Valid bool   `json:"valid"`
	Code  string `json:"code"`
}

var client = http.Client{
	Timeout:       2 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func check(key, permissions string) (Verdict, error) {
	var verdict Verdict
	body, err := json.Marshal(map[string]string{"key": key, "permissions": permissions})
	if err != nil {
		return verdict, err
	}
	asked, err := http.NewRequest(http.MethodPost, os.Getenv("KEYHOUSE_URL")+"/v1/verify", bytes.NewReader(body))
	if err != nil {
		return verdict, err
	}
	asked.Header.Set("Authorization", "Bearer "+os.Getenv("KEYHOUSE_KEY"))
	asked.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(asked)
	if err != nil {
		return verdict, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return verdict, fmt.Errorf("Keyhouse answered %s", answer.Status)
	}
	return verdict, json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&verdict)
}
