// Command send sends events with the CloudEvents SDK for Go: send MODE http URL, or send MODE kafka
// BROKER TOPIC, the events as a JSON array on standard input. It prints the status of each answer.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

func main() {
	mode, transport, targets := os.Args[1], os.Args[2], os.Args[3:]
	events := read()
	ctx := cloudevents.WithEncodingBinary(context.Background())
	if mode == "structured" {
		ctx = cloudevents.WithEncodingStructured(context.Background())
	}
	switch {
	case mode == "batch":
		sendBatch(ctx, targets[0], events)
	case transport == "http":
		client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(targets[0]))
		check(err)
		for _, event := range events {
			var answer *cehttp.Result
			if cloudevents.ResultAs(client.Send(ctx, event), &answer) {
				fmt.Println(answer.StatusCode)
			}
		}
	case transport == "kafka":
		sendToKafka(ctx, targets[0], targets[1], events)
	}
}

func sendBatch(ctx context.Context, url string, events []cloudevents.Event) {
	request, err := cehttp.NewHTTPRequestFromEvents(ctx, url, events)
	check(err)
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode)
}

func sendToKafka(ctx context.Context, broker, topic string, events []cloudevents.Event) {
	config := sarama.NewConfig()
	config.Version = sarama.V2_1_0_0
	sender, err := kafka_sarama.NewSender([]string{broker}, config, topic)
	check(err)
	defer sender.Close(ctx)
	client, err := cloudevents.NewClient(sender)
	check(err)
	for _, event := range events {
		keyed := kafka_sarama.WithMessageKey(ctx, sarama.StringEncoder(event.Subject()))
		if result := client.Send(keyed, event); cloudevents.IsUndelivered(result) {
			log.Fatal(result)
		}
		fmt.Println("sent")
	}
}

// read makes events through the SDK's own setters.
func read() []cloudevents.Event {
	var given []map[string]json.RawMessage
	check(json.NewDecoder(os.Stdin).Decode(&given))
	events := make([]cloudevents.Event, 0, len(given))
	for _, members := range given {
		event := cloudevents.NewEvent()
		for name, raw := range members {
			if name == "data" {
				// The SDK encodes a value, so it is given one and not bytes.
				var data any
				decoder := json.NewDecoder(bytes.NewReader(raw))
				decoder.UseNumber()
				check(decoder.Decode(&data))
				check(event.SetData(cloudevents.ApplicationJSON, data))
				continue
			}
			var text string
			check(json.Unmarshal(raw, &text))
			set(&event, name, text)
		}
		events = append(events, event)
	}
	return events
}

func set(event *cloudevents.Event, name, text string) {
	switch name {
	case "specversion":
		event.SetSpecVersion(text)
	case "id":
		event.SetID(text)
	case "source":
		event.SetSource(text)
	case "type":
		event.SetType(text)
	case "subject":
		event.SetSubject(text)
	case "time":
		moment, err := time.Parse(time.RFC3339, text)
		check(err)
		event.SetTime(moment)
	default:
		event.SetExtension(name, text)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
