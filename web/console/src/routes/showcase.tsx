import {
  Badge,
  Button,
  Check,
  type Column,
  Copy,
  Dialog,
  Empty,
  Failed,
  Field,
  Item,
  Menu,
  Meter,
  type Sort,
  State,
  Table,
  Tabs,
  Waiting,
  type Widths,
} from "@stoa/ui";
import Plot from "@stoa/ui/plot";
import { type ReactNode, useState } from "react";

import { Page } from "../frame/page.js";
import css from "./showcase.module.css";

/** What pages are made of, each part in all its states: for whoever makes a page, or changes a part. */
export default function Showcase() {
  return (
    <Page title="Parts" about="What pages are made of, each part in all its states.">
      <Part name="Button">
        <Button kind="primary">Create transfer</Button>
        <Button>Plain</Button>
        <Button kind="quiet">Quiet</Button>
        <Button kind="danger">Void transfer</Button>
        <Button kind="primary" disabled>
          Create transfer
        </Button>
        <Button disabled>Plain</Button>
        <Button small>Small</Button>
        <Copy text="acc_1" label="Copy the identifier" />
      </Part>
      <Part name="State">
        <State>plain</State>
        <State mood="good">posted</State>
        <State mood="warn">pending</State>
        <State mood="bad">dead</State>
        <Badge title="The reply of an earlier call">replay</Badge>
      </Part>
      <Part name="Field">
        <Field label="handle" isName rule="1–40 characters" help="A short name to sign in with.">
          {(ties) => <input {...ties} defaultValue="ada" />}
        </Field>
        <Field label="currency" isName rule="required" error="Must match ^[A-Z]{3}$">
          {(ties) => <input {...ties} defaultValue="euro" />}
        </Field>
        <Field label="kind" isName>
          {(ties) => (
            <select {...ties}>
              <option>asset</option>
            </select>
          )}
        </Field>
        <Field label="closed" isName>
          {(ties) => <input {...ties} disabled defaultValue="not to be changed" />}
        </Field>
      </Part>
      <Part name="Meter">
        <Meter label="How good it is" value={0} max={4} word="guessed at once" />
        <Meter label="How good it is" value={1} max={4} word="guessed soon" />
        <Meter label="How good it is" value={3} max={4} word="hard to guess" />
        <Meter label="How good it is" value={4} max={4} word="very hard to guess" />
      </Part>
      <Part name="Dialog">
        <Asking />
      </Part>
      <Part name="Menu">
        <Choices />
      </Part>
      <Part name="Tabs">
        <Views />
      </Part>
      <Part name="Table">
        <Rows />
      </Part>
      <Part name="Plot">
        <div className={css.plot}>
          <Plot
            title="balance"
            times={STEPS.map(({ time }) => time)}
            lines={[{ name: "", values: STEPS.map(({ value }) => value) }]}
            from={STEPS[0]?.time ?? 0}
            to={STEPS.at(-1)?.time ?? 0}
            format={dollars}
            group="parts"
            isStepped
            onZoom={() => {}}
          />
        </div>
      </Part>
      <Part name="Empty">
        <Empty>
          <p>No accounts yet. An account is a place where money is, or comes from, or goes to.</p>
        </Empty>
      </Part>
      <Part name="Failed">
        <Failed
          title="Account `acc_1` does not have that much."
          next="Transfer money to the account first, or transfer less."
          reason="ledger.insufficient_funds"
          retry={() => {}}
        />
      </Part>
      <Part name="Waiting">
        <Waiting lines={3} />
      </Part>
    </Page>
  );
}

function Part({ name, children }: { name: string; children: ReactNode }) {
  return (
    <section className={css.part} aria-labelledby={`part-${name}`}>
      <h2 id={`part-${name}`}>{name}</h2>
      <div className={css.states}>{children}</div>
    </section>
  );
}

function Asking() {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Open</Button>
      {isOpen ? (
        <Dialog
          title="Remove the passkey laptop?"
          lead="It will not sign in any more."
          onClose={() => setOpen(false)}
        >
          <Button kind="danger" onClick={() => setOpen(false)}>
            Remove
          </Button>
        </Dialog>
      ) : null}
    </>
  );
}

function Choices() {
  const [isOn, setOn] = useState(true);
  return (
    <>
      <Menu title="Columns">{() => <Check label="balance" isOn={isOn} onChange={setOn} />}</Menu>
      <Menu title="Export">{(close) => <Item onClick={close}>CSV</Item>}</Menu>
    </>
  );
}

function Views() {
  const [selected, select] = useState("reply");
  const tabs = ["reply", "curl", "python"].map((id) => ({ id, title: id, content: <p>{id}</p> }));
  return <Tabs label="Views" selected={selected} onSelect={select} tabs={tabs} />;
}

interface Line {
  code: string;
  state: string;
  balance: number;
}

const LINES: Line[] = [
  { code: "bank", state: "open", balance: 1_299_093 },
  { code: "wallets/ada", state: "open", balance: 4_711 },
  { code: "wallets/grace", state: "closed", balance: 0 },
];

const COLUMNS: Column<Line>[] = [
  { id: "code", title: "code", width: 200, cell: ({ code }) => code },
  {
    id: "state",
    title: "state",
    width: 120,
    cell: ({ state }) => <State mood={state === "open" ? "good" : "plain"}>{state}</State>,
  },
  {
    id: "balance",
    title: "balance",
    align: "end",
    width: 140,
    cell: ({ balance }) => dollars(balance),
  },
];

function Rows() {
  const [sort, setSort] = useState<Sort | undefined>({ id: "balance", isDescending: true });
  const [widths, setWidths] = useState<Widths>();
  const [picked, pick] = useState<ReadonlySet<string>>(new Set(["bank"]));
  return (
    <Table
      className={css.table}
      label="Lines"
      columns={COLUMNS}
      rows={LINES}
      keyOf={({ code }) => code}
      onOpen={() => {}}
      opened="wallets/ada"
      sort={sort}
      onSort={setSort}
      picks={{ picked, onPick: pick }}
      widths={widths}
      onWidths={setWidths}
    />
  );
}

const DAY_S = 24 * 60 * 60;
const STEPS = [0, 1499, 4497, 2998, 7495, 7495, 11_992].map((value, day) => ({
  time: Date.UTC(2026, 0, 1) / 1000 + day * DAY_S,
  value,
}));

function dollars(cents: number): string {
  return (cents / 100).toLocaleString(undefined, { minimumFractionDigits: 2 });
}
