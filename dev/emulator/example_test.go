package emulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"visionkeeper/dev/emulator"
)

func Example() {
	service, err := emulator.New(emulator.Options{
		Key: "local", NoValidation: true,
		TrainTime: 10 * time.Minute,
		Frozen:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Answers:   map[emulator.Question]string{emulator.IterationOrder: "newest-first"},
	})
	if err != nil {
		panic(err)
	}
	defer service.Close()
	web := httptest.NewServer(service)
	defer web.Close()

	project, _ := service.CreateProject("bottles", "", "", "")
	service.FailTrainings(1)
	r, _ := http.NewRequest("POST", web.URL+"/customvision/v3.3/training/projects/"+project+"/train", nil)
	r.Header.Set("Training-Key", "local")
	response, _ := http.DefaultClient.Do(r)
	response.Body.Close()
	fmt.Println(response.Status, service.View().Projects[0].Iterations[0].Status)

	service.Advance(10 * time.Minute)
	fmt.Println(service.View().Projects[0].Iterations[0].Status, service.Counts()["TrainProject"])
	// Output:
	// 200 OK Training
	// Failed 1
}

// Links that have expired are a fault to order; a frozen clock makes a run
// repeatable.
func ExampleServer_ExpireLinks() {
	service, err := emulator.New(emulator.Options{Key: "local", NoValidation: true})
	if err != nil {
		panic(err)
	}
	defer service.Close()

	service.Freeze()
	before := service.Now()
	service.ExpireLinks(1)
	service.FailImports(2)
	pending := service.View().Pending
	fmt.Println(pending.ExpiredLinks, pending.FailImports, service.Now().Equal(before))
	service.Unfreeze()
	// Output: 1 2 true
}
