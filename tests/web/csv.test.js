// Tables are written as CSV that spreadsheets read and do not compute.

import assert from "node:assert/strict";
import { test } from "node:test";

import { csvOf } from "../../web/lib/csv.js";

test("cells are quoted where they must be", () => {
  for (const [cell, written] of [
    ["courier", "courier"],
    ["", ""],
    [null, ""],
    [undefined, ""],
    [-3, "-3"],
    ["a,b", '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ["two\nlines", '"two\nlines"'],
  ]) {
    assert.equal(csvOf([[cell, "end"]]), `${written},end\r\n`, String(cell));
  }
});

test("a text that a spreadsheet would compute gets an apostrophe", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"]) {
    assert.equal(csvOf([[text]]), `'${text}\r\n`, text);
  }
  assert.equal(csvOf([['=HYPERLINK("x")']]), `"'=HYPERLINK(""x"")"\r\n`);
});
