import { expect, test } from "vitest";

import { mailed, ticketed } from "./mailed.js";

test("a link by mail says what it is for, and nothing else is one", () => {
  expect(mailed("#signIn=stoa_l_main_0a")).toEqual({ kind: "signIn", secret: "stoa_l_main_0a" });
  expect(mailed("#newPassword=stoa_l_main_0a")?.kind).toBe("newPassword");
  expect(mailed("#email=stoa_l_main_0a")?.kind).toBe("email");
  for (const hash of [
    "",
    "#4711",
    "#signIn=stoa_s_main_0a",
    "#signIn=stoa_l_0 1",
    "#other=stoa_l_0",
  ]) {
    expect(mailed(hash)).toBeUndefined();
  }
});

test("a ticket may come behind the address, and nothing else is one", () => {
  expect(ticketed("#ticket=stoa_f_main_0a")).toBe("stoa_f_main_0a");
  for (const hash of ["", "#ticket=", "#ticket=stoa_s_main_0a", "#signIn=stoa_f_main_0a"]) {
    expect(ticketed(hash)).toBeUndefined();
  }
});
