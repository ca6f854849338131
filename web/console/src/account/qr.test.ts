import encodeQR from "qr";
import decodeQR from "qr/decode.js";
import { expect, test } from "vitest";

import { drawn } from "./qr.js";

/** How many pixels of a picture a dot is wide. */
const SCALE = 4;

test("what is drawn reads as what was to be said", () => {
  const text = `otpauth://totp/Stoa:ada?secret=${"ABCD2345".repeat(4)}&issuer=Stoa`;
  const dots = encodeQR(text, "raw", { ecc: "medium", border: 2 });
  const side = dots.length * SCALE;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, x, y, width] of drawn(dots).matchAll(/M(\d+) (\d+)h(\d+)v1H\d+z/g)) {
    for (let down = 0; down < SCALE; down++) {
      for (let across = 0; across < Number(width) * SCALE; across++) {
        const place = (Number(y) * SCALE + down) * side + Number(x) * SCALE + across;
        data.fill(0, place * 4, place * 4 + 3);
      }
    }
  }
  expect(decodeQR({ width: side, height: side, data })).toBe(text);
});
