// Checks whether the key on stdin has the permission in the first argument.
// Exit status 0: yes. 4: no; stdout has the code. Any other: the check failed.
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
		log.Fatal("usage: check PERMISSION < secret.txt ", err)
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

// Verdict is the outcome of a check.
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
	request, err := http.NewRequest(http.MethodPost, os.Getenv("KEYHOUSE_URL")+"/v1/verify", bytes.NewReader(body))
	if err != nil {
		return verdict, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("KEYHOUSE_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return verdict, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return verdict, fmt.Errorf("Keyhouse answered %s", response.Status)
	}
	return verdict, json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&verdict)
}
