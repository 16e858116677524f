package models

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// predictByXGBoost loads a model and prints the margins of rows of six columns.
const predictByXGBoost = `
import sys, numpy as np, xgboost as xgb
b = xgb.Booster(model_file=sys.argv[1])
x = np.fromfile(sys.argv[2], np.float32).reshape(-1, 6)
d = xgb.DMatrix(x, feature_types=["c" if i % 3 == 1 else "float" for i in range(6)], enable_categorical=True)
b.predict(d, output_margin=True).tofile(sys.argv[3])
`

// TestXGBoostPredictsTheSame writes models in both formats and lets XGBoost
// itself predict.
func TestXGBoostPredictsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python three times")
	}
	const python = "/usr/bin/python3" // where Debian's python3-xgboost lives
	if err := exec.Command(python, "-c", "import xgboost").Run(); err != nil {
		t.Skip("XGBoost is not installed: apt-get install python3-xgboost")
	}
	r := rand.New(rand.NewPCG(9, 9))
	m := randomModel(r, 6, 12, 7, true)
	x := randomRows(r, m, 500)
	for i, v := range x.Data {
		if math.IsInf(float64(v), 0) {
			x.Data[i] = 0 // XGBoost refuses infinite values
		}
	}
	dir := t.TempDir()
	rows, margins := filepath.Join(dir, "rows"), filepath.Join(dir, "margins")
	text, err := binary.Append(nil, binary.LittleEndian, x.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rows, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m.json", "m.ubj"} {
		var file bytes.Buffer
		write := m.WriteJSON
		if name == "m.ubj" {
			write = m.WriteUBJSON
		}
		if err := write(&file); err != nil {
			t.Fatal(err)
		}
		model := filepath.Join(dir, name)
		if err := os.WriteFile(model, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(python, "-c", predictByXGBoost, model, rows, margins).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		got, err := os.ReadFile(margins)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.Rows {
			xgboost := math.Float32frombits(binary.LittleEndian.Uint32(got[4*i:]))
			if ours := m.Margin(x.Row(i)); !sameFloat(ours, xgboost) {
				t.Errorf("%s, row %d %v: XGBoost says %v, we %v", name, i, x.Row(i), xgboost, ours)
			}
		}
	}
}
