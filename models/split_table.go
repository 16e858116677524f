package models

// goesRight tabulates a split over the codes of its column: 1 for right.
func (s split) goesRight(bins *binned) *[maxCodes]uint8 {
	feature, place := bins.features[s.feature], bins.places[s.feature]
	var byBin [maxCodes]uint8
	for bin := range feature.values {
		if s.categories == nil && bin > s.bin {
			byBin[bin] = 1
		}
	}
	for _, bin := range s.categories {
		byBin[bin] = 1
	}
	if feature.missing && !s.missingLeft {
		byBin[feature.values] = 1
	}
	var table [maxCodes]uint8
	for code := range bins.codes[place.column] {
		table[code] = byBin[place.bin(code)]
	}
	return &table
}
