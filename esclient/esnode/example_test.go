package esnode_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/photonpump/projector/esclient/esnode"
)

func Example() {
	node, err := esnode.Start(esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()

	req, _ := http.NewRequest(http.MethodPost, node.HTTPURL()+"/streams/pony-1", strings.NewReader(`{"height_m":0.6}`))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("ES-EventType", "pony.jumped")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(res.Status, strings.HasPrefix(node.URL(), "tcp://admin:changeit@127.0.0.1:"))
	// Output: 201 Created true
}

func ExampleNode_Intercept() {
	node, err := esnode.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
	// The first append takes place, but its answer gets lost; the client will send it again.
	remove := node.Intercept(esnode.WriteEventsCompleted, esnode.Once(esnode.Fault{Discard: true}))
	defer remove()
	// Output:
}
