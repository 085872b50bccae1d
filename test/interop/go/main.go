// Command interop runs producers, consumers and the administration of RocketMQ's Go client, as its examples do.
//
// Its arguments are the addresses of the name server and of the broker. Commands come as lines, and what happens goes out as lines.
//
//	send TOPIC COUNT                     all kinds of producers, COUNT messages of each
//	transactions TOPIC COUNT             of three, one is committed at once, one rolled back, one when it is asked about
//	request TOPIC TEXT                   waits for a reply
//	create TOPIC QUEUES, delete TOPIC    by the administration
//	start NAME KIND GROUP TOPIC FILTER   KIND: concurrent, failing, refusing, ordered, broadcast, lite, answering
//	stop NAME
//
//	@ sent KIND NUMBER STATUS KEYS IDS QUEUE OFFSET
//	@ NAME TOPIC QUEUE OFFSET RECONSUMED BODY
//	@ up, started NAME, stopped NAME, done COMMAND
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

var (
	names  []string
	saying sync.Mutex
	stops  = map[string]func(){}
)

func main() {
	names = []string{os.Args[1]}
	say("up")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.SplitN(in.Text(), " ", 6)
		switch words[0] {
		case "send":
			send(words[1], number(words[2]))
		case "transactions":
			transactions(words[1], number(words[2]))
		case "request":
			ask(words[1], words[2])
		case "create":
			createTopic(words[1], number(words[2]))
		case "delete":
			deleteTopic(words[1])
		case "start":
			start(words[1], words[2], words[3], words[4], words[5])
			say("started " + words[1])
			continue
		case "stop":
			stops[words[1]]()
			delete(stops, words[1])
			say("stopped " + words[1])
			continue
		default:
			panic("unknown command " + words[0])
		}
		say("done " + words[0])
	}
}

func say(text string) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Println("@ " + text)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
