/** What pages are made of. Each part knows how it looks and behaves, and nothing of what it shows. */

export { Button } from "./button/button.js";
export { Copy } from "./copy/copy.js";
export { Dialog } from "./dialog/dialog.js";
export { Drawer, Sheet } from "./drawer/drawer.js";
export { Field, input, type Ties } from "./field/field.js";
export { Check, Item, Menu } from "./menu/menu.js";
export { Meter } from "./meter/meter.js";
export { Empty, Failed, Waiting } from "./notice/notice.js";
export { Badge, type Mood, State } from "./state/state.js";
export type { Widths } from "./table/grip.js";
export { type Column, type Picks, type Sort, Table } from "./table/table.js";
export { links } from "./tabs/links.js";
export { Tabs } from "./tabs/tabs.js";
export { type Step, Waterfall } from "./waterfall/waterfall.js";
