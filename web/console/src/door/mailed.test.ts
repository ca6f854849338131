import { expect, test } from "vitest";

import { mailed } from "./mailed.js";

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
