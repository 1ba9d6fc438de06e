// Reads objects as JSON, one a line, and answers each with the verdict of kstatus and its message.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			fmt.Println(verdict(line))
		}
		if err != nil {
			return
		}
	}
}

func verdict(line []byte) string {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(line); err != nil {
		return "error\t" + err.Error()
	}
	result, err := status.Compute(object)
	if err != nil {
		return "error\t" + err.Error()
	}
	message, _ := json.Marshal(result.Message)
	return result.Status.String() + "\t" + string(message)
}
