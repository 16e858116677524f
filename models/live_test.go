package models

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// predictByXGBoost writes MODEL.margins for each model, on rows of six columns.
const predictByXGBoost = `
import sys, numpy as np, xgboost as xgb
x = np.fromfile(sys.argv[1], np.float32).reshape(-1, 6)
d = xgb.DMatrix(x, feature_types=["c" if i % 3 == 1 else "float" for i in range(6)], enable_categorical=True)
for model in sys.argv[2:]:
    xgb.Booster(model_file=model).predict(d, output_margin=True).tofile(model + ".margins")
`

// TestXGBoostPredictsTheSame writes a model in both formats and lets XGBoost
// itself predict.
func TestXGBoostPredictsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	const python = "/usr/bin/python3" // where Debian's python3-xgboost lives
	const installed = "import importlib.util as u, sys; sys.exit(u.find_spec('xgboost') is None)"
	if err := exec.Command(python, "-c", installed).Run(); err != nil {
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
	m = Average(m, PoolRates(x, m.Features, []float64{0.7, 0, 0.3, 0, 0, 0}))
	dir := t.TempDir()
	rows, names := filepath.Join(dir, "rows"), []string{filepath.Join(dir, "m.json"), filepath.Join(dir, "m.ubj")}
	text, err := binary.Append(nil, binary.LittleEndian, x.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rows, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, write := range []func(io.Writer) error{m.WriteJSON, m.WriteUBJSON} {
		var file bytes.Buffer
		if err := write(&file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(names[i], file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(python, append([]string{"-c", predictByXGBoost, rows}, names...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range names {
		got, err := os.ReadFile(name + ".margins")
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
