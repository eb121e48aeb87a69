// SPDX-License-Identifier: Apache-2.0
// A crypto/tls client for the capture tests: client <port> <ca.pem> <request bytes> <count>.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func stamped(size, seed int) []byte {
	var out bytes.Buffer
	for line := 0; out.Len() < size; line++ {
		fmt.Fprintf(&out, "%08x.%06x;", line, seed)
	}
	return out.Bytes()[:size]
}

func main() {
	time.Sleep(1500 * time.Millisecond) // the first start of a new program races with its analysis
	ca, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	size, _ := strconv.Atoi(os.Args[3])
	count, _ := strconv.Atoi(os.Args[4])
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for i := 0; i < count; i++ {
		reply, err := client.Post(fmt.Sprintf("https://localhost:%s/echo/%d", os.Args[1], i), "application/octet-stream",
			bytes.NewReader(stamped(size, i)))
		if err != nil {
			panic(err)
		}
		if _, err := io.Copy(io.Discard, reply.Body); err != nil {
			panic(err)
		}
		reply.Body.Close()
	}
}
