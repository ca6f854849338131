import { expect, test } from "vitest";

import { csv } from "./export.js";

test("every value stays in its cell, and none is a formula", () => {
  const rows = [
    { id: "a", note: 'say "hi", twice\nover', amount: "-5" },
    { id: "b", note: '=HYPERLINK("x")', lines: [1] },
  ];
  expect(csv(rows).split("\r\n")).toEqual([
    "id,note,amount,lines",
    'a,"say ""hi"", twice\nover",-5,',
    'b,"\'=HYPERLINK(""x"")",,[1]',
    "",
  ]);
});
