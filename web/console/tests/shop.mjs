// A small shop, for pages to have something to show.
import { AuthService } from "@stoa/sdk/auth";
import { CatalogService } from "@stoa/sdk/catalog";
import { InventoryService } from "@stoa/sdk/inventory";
import { AccountKind, LedgerService } from "@stoa/sdk/ledger";
import { OrdersService } from "@stoa/sdk/orders";
import { UsersService } from "@stoa/sdk/users";

const GOODS = [
  ["tea", "Darjeeling, first flush", 1290n],
  ["pot", "Cast-iron pot", 5900n],
  ["cup", "Cup without a handle", 1450n],
];
const PEOPLE = ["grace", "alan", "edsger", "barbara", "tony", "leslie", "frances", "donald"];

/** Each of them is told of by mail. */
export const ORDERS = 24;

/** Fills a node as somebody who may do everything. */
export async function openShop(stoa) {
  const inventory = stoa.client(InventoryService);
  for (const [sku, title, amount] of GOODS) {
    const variants = [{ sku, prices: [{ amount, currency: "EUR" }] }];
    await stoa.client(CatalogService).createProduct({ title, variants });
    await inventory.receive({ lines: [{ sku, quantity: 500n }] });
  }
  for (const handle of PEOPLE) {
    const displayName = handle.charAt(0).toUpperCase() + handle.slice(1);
    await stoa
      .client(UsersService)
      .createUser({ handle, email: `${handle}@example.com`, displayName });
  }
  // Whoever wants mail is told by mail as well: without a mail server it lies in the mailbox.
  const { userId } = await stoa.client(AuthService).whoAmI({});
  const preferences = { "notify.email": "true" };
  await stoa
    .client(UsersService)
    .updateUser({ id: userId, preferences, updateMask: { paths: ["preferences"] } });
  for (let order = 0; order < ORDERS; order++) {
    const [sku] = GOODS[order % GOODS.length];
    const lines = [{ sku, quantity: BigInt(1 + (order % 4)) }];
    await stoa.client(OrdersService).placeOrder({ currency: "EUR", lines });
  }
  const ledger = stoa.client(LedgerService);
  await ledger.createAccount({ code: "bank", currency: "EUR", kind: AccountKind.ASSET });
  await stoa.client(AuthService).createRole({
    name: "bookkeeper",
    description: "Reads the books",
    permissions: ["ledger.*"],
  });
}
