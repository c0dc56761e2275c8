-- When a second picture of the thing was judged together with this one: another isn't.
ALTER TABLE items ADD COLUMN seconded BIGINT;
UPDATE items SET seconded = created WHERE id IN (SELECT first FROM items WHERE first IS NOT NULL);
