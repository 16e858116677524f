package models

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is a model of one split, on which the tests below make one change each.
const small = `{"learner":{"attributes":{},"feature_names":[],"feature_types":[],
"gradient_booster":{"model":{"gbtree_model_param":{"num_trees":"1","num_parallel_tree":"1","size_leaf_vector":"0"},
"tree_info":[0],"trees":[{"id":0,"tree_param":{"num_nodes":"3","num_feature":"2","num_deleted":"0","size_leaf_vector":"0"},
"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],"split_indices":[1,0,0],
"split_conditions":[5E-1,-1E0,1E0],"split_type":[0,0,0],"default_left":[1,0,0],"base_weights":[0E0,0E0,0E0],
"loss_changes":[1E0,0E0,0E0],"sum_hessian":[4E0,1E0,3E0],"categories":[],"categories_nodes":[],
"categories_segments":[],"categories_sizes":[]}]},"name":"gbtree"},
"learner_model_param":{"base_score":"5E-1","num_feature":"2","num_class":"0","num_target":"1"},
"objective":{"name":"binary:logistic","reg_loss_param":{"scale_pos_weight":"1"}}},"version":[1,7,4]}`

func smallModel() *Model {
	return &Model{
		Objective: Logistic, BaseScore: 0.5, Features: []string{"f0", "f1"}, Kinds: []Kind{Numeric, Numeric},
		Trees: []Tree{{Nodes: []Node{
			{Feature: 1, Left: 1, Threshold: 0.5, Gain: 1, Cover: 4, DefaultLeft: true},
			{Feature: -1, Left: -1, Value: -1, Cover: 1},
			{Feature: -1, Left: -1, Value: 1, Cover: 3},
		}}},
		Attributes: map[string]string{},
	}
}

func TestReadUnderstandsOtherSpellings(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		change   func(*Model)
	}{
		{"as it is", "", "", func(*Model) {}},
		{"the base score of XGBoost 3.1", `"5E-1"`, `"[2.5E-1]"`, func(m *Model) { m.BaseScore = 0.25 }},
		{"booleans", `"default_left":[1,0,0]`, `"default_left":[true,false,false]`, func(*Model) {}},
		{"no split types", `"split_type":[0,0,0],`, ``, func(*Model) {}},
		{"members of later versions", `"tree_info":[0]`, `"cats":{"enc":[],"x":[{"y":null}]},"iteration_indptr":[0,1],"tree_info":[0]`, func(*Model) {}},
		{"a logistic regression objective", `binary:logistic`, `reg:logistic`, func(*Model) {}},
		{"an infinite threshold", `5E-1,-1E0`, `-Infinity,-1E0`, func(m *Model) { m.Trees[0].Nodes[0].Threshold = float32(math.Inf(-1)) }},
		{"names with escapes", `"feature_names":[]`, `"feature_names":["a\u00e9\ud83d\ude00","b\"\n"]`, func(m *Model) { m.Features = []string{"aé😀", "b\"\n"} }},
		{"a calibrator", `"attributes":{}`, `"attributes":{"tallyman.calibrator":"beta 1 2 3","k":"v"}`, func(m *Model) {
			m.Calibrator, m.Attributes = Beta{A: 1, B: 2, C: 3}, map[string]string{"k": "v"}
		}},
		{
			"children that are not adjacent are renumbered",
			`"left_children":[1,-1,-1],"right_children":[2,-1,-1]`, `"left_children":[2,-1,-1],"right_children":[1,-1,-1]`,
			func(m *Model) { n := m.Trees[0].Nodes; n[1], n[2] = n[2], n[1] },
		},
		{
			"a categorical split whose categories are not in order",
			`"split_conditions":[5E-1,-1E0,1E0],"split_type":[0,0,0],"default_left":[1,0,0],"base_weights":[0E0,0E0,0E0],
"loss_changes":[1E0,0E0,0E0],"sum_hessian":[4E0,1E0,3E0],"categories":[],"categories_nodes":[],
"categories_segments":[],"categories_sizes":[]`,
			`"split_conditions":[NaN,-1E0,1E0],"split_type":[1,0,0],"default_left":[1,0,0],
"loss_changes":[1E0,0E0,0E0],"sum_hessian":[4E0,1E0,3E0],"categories":[7,2],"categories_nodes":[0],
"categories_segments":[0],"categories_sizes":[2]`,
			func(m *Model) {
				m.Kinds[1] = Categorical
				m.Trees[0].Nodes[0].Threshold, m.Trees[0].Nodes[0].Categories = 0, []int32{2, 7}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := smallModel()
			tt.change(want)
			got, err := Read(strings.NewReader(replaced(t, tt.old, tt.new)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func replaced(t *testing.T, old, with string) string {
	t.Helper()
	if !strings.Contains(small, old) {
		t.Fatalf("the small model has no %q", old)
	}
	return strings.Replace(small, old, with, 1)
}

func TestReadRefusesWithAReason(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"garbage", small, `hello`, "neither JSON nor UBJSON"},
		{"nothing", small, ``, "empty"},
		{"the binary format", small, "binf\x00\x00", "old binary format"},
		{"another JSON", small, `{"a":1}`, `no "learner"`},
		{"half a file", `"version":[1,7,4]}`, ``, "ends in the middle"},
		{"two files", `"version":[1,7,4]}`, `"version":[1,7,4]} {}`, "after the end"},
		{"a child outside the tree", `"right_children":[2`, `"right_children":[3`, "tree 0: node 0: child 3 does not exist"},
		{"a negative child", `"right_children":[2`, `"right_children":[-1`, "tree 0: node 0: child -1"},
		{"a cycle", `"left_children":[1,-1`, `"left_children":[1,0`, "child 0 has another parent"},
		{"one child twice", `"right_children":[2`, `"right_children":[1`, "child 1 has another parent"},
		{"a short array", `"sum_hessian":[4E0,1E0,3E0]`, `"sum_hessian":[4E0,1E0]`, "sum_hessian has 2 entries for 3 nodes"},
		{"no nodes", `"left_children":[1,-1,-1]`, `"left_children":[]`, "no left_children"},
		{"a feature that does not exist", `"split_indices":[1`, `"split_indices":[2`, "tree 0, node 0: feature 2 does not exist"},
		{"a negative feature", `"split_indices":[1`, `"split_indices":[-7`, "tree 0: node 0: feature -7 does not exist"},
		{"a leaf that is not a number", `5E-1,-1E0`, `5E-1,NaN`, "tree 0, node 1: leaf value is NaN"},
		{"a leaf too large for float32", `5E-1,-1E0`, `5E-1,1E99`, "leaf value is +Inf"},
		{"a threshold that is not a number", `5E-1,-1E0`, `NaN,-1E0`, "tree 0, node 0: threshold"},
		{"a negative cover", `[4E0,1E0,3E0]`, `[4E0,-1E0,3E0]`, "tree 0, node 1: cover"},
		{"a base score of one", `"5E-1"`, `"1"`, "base score 1 has no margin"},
		{"a vector base score", `"5E-1"`, `"[5E-1,5E-1]"`, "base_score"},
		{"too many features", `"num_feature":"2","num_class"`, `"num_feature":"70000","num_class"`, "num_feature"},
		{"a name twice", `"feature_names":[]`, `"feature_names":["a","a"]`, `two features have the name "a"`},
		{"too few names", `"feature_names":[]`, `"feature_names":["a"]`, "1 feature names"},
		{"classes", `"num_class":"0"`, `"num_class":"3"`, "3 classes"},
		{"targets", `"num_target":"1"`, `"num_target":"2"`, "2 targets"},
		{"vector leaves", `"num_parallel_tree":"1","size_leaf_vector":"0"`, `"num_parallel_tree":"1","size_leaf_vector":"4"`, "vector leaves of size 4"},
		{"a tree of another class", `"tree_info":[0]`, `"tree_info":[1]`, "tree 0 belongs to class 1"},
		{"no trees", `"trees":`, `"bushes":`, "gradient_booster has no trees"},
		{"an unknown objective", `binary:logistic`, `rank:ndcg`, `objective "rank:ndcg"`},
		{"an unknown booster", `"name":"gbtree"`, `"name":"dart"`, `booster "dart"`},
		{"a calibrator we do not know", `"attributes":{}`, `"attributes":{"tallyman.calibrator":"magic 1"}`, `"magic" is unknown`},
		{"an empty category set", `"categories_nodes":[],
"categories_segments":[],"categories_sizes":[]`, `"categories_nodes":[0],
"categories_segments":[0],"categories_sizes":[0]`, "node 0: categories 0 to 0"},
		{"deep nesting", `"attributes":{}`, `"x":` + strings.Repeat("[", 100), "nested more than 64 deep"},
		{"a number of hundreds of digits", `5E-1,-1E0`, strings.Repeat("1", 500) + `,-1E0`, "more than 64 characters"},
		{"text that is not UTF-8", `"attributes":{}`, "\"attributes\":{\"a\":\"\xff\"}", "not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(replaced(t, tt.old, tt.new)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestReadRefusesWhatXGBoostTrainedOtherwise(t *testing.T) {
	for name, want := range map[string]string{
		"dart":     `booster "dart" is not supported`,
		"gblinear": `booster "gblinear" is not supported`,
		"softprob": "3 classes",
		"hinge":    `objective "binary:hinge" is not supported`,
	} {
		text, err := os.ReadFile("testdata/xgboost/refused_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, want)
		}
	}
}

func TestReadUBJSONRefusesWhatCannotBe(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"an array longer than the file", "{U\x07learner{U\x08whatever[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"},
		{"elements without bytes", "{U\x07learner{U\x01x[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff", `container typed 'Z'`},
		{"a negative length", "{i\xff", "length -1 is negative"},
		{"a name longer than the file", "{L\x7f\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"},
		{"deep nesting", "{U\x01x" + strings.Repeat("[", 100), "nested more than 64 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestWriteRefusesAnInvalidModel(t *testing.T) {
	m := smallModel()
	m.Trees[0].Nodes[0].Left = 2
	var b bytes.Buffer
	if err := m.WriteJSON(&b); err == nil || !strings.Contains(err.Error(), "tree 0, node 0: left child is 2") || b.Len() != 0 {
		t.Errorf("error is %v after %d bytes", err, b.Len())
	}
}
