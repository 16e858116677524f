package main

import (
	"testing"

	"tallyman/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
