-- Counting by state, and finding the second picture of a thing, without looking at each item.
CREATE INDEX items_state ON items (state, lease_until);
CREATE INDEX items_first ON items (first) WHERE first IS NOT NULL;
