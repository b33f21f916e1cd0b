"""How good samples are, by independent recognisers: garments by their class, scenes by what their captions say."""
