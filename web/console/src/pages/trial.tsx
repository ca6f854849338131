import { AccountKind, LedgerService, type TrialBalance } from "@stoa/sdk/ledger";
import { useWatch } from "@stoa/sdk/react";
import { Empty, Failed, State, Waiting } from "@stoa/ui";
import { Link } from "@tanstack/react-router";

import { failure, stoa } from "../node.js";
import { Money } from "../reply/value.js";
import { say } from "../strings.js";
import css from "./pages.module.css";

/** What all accounts hold, as an accountant reads it. It is live. */
export default function TrialBalancePage() {
  const { reply, error } = useWatch(stoa, LedgerService.method.getTrialBalance, {});
  if (error && reply === undefined) return <Failed {...failure(error)} />;
  if (reply === undefined) return <Waiting lines={6} />;
  if (reply.balances.length === 0) return <Empty>{say.books.none}</Empty>;
  return (
    <div className={css.sheets}>
      {reply.balances.map((balance) => (
        <Sheet key={balance.currency} of={balance} />
      ))}
    </div>
  );
}

function Sheet({ of: { currency, lines, debit, credit } }: { of: TrialBalance }) {
  const money = (amount: bigint) =>
    amount === 0n ? "" : <Money amount={String(amount)} currency={currency} />;
  return (
    <section aria-labelledby={`trial-${currency}`}>
      <h2 id={`trial-${currency}`}>
        {currency}{" "}
        <State mood={debit === credit ? "good" : "bad"}>
          {debit === credit ? say.books.balanced : say.books.broken}
        </State>
      </h2>
      <table className={css.sheet}>
        <thead>
          <tr>
            <th scope="col">{say.books.kind}</th>
            <th scope="col">{say.books.debit}</th>
            <th scope="col">{say.books.credit}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.kind}>
              <th scope="row">
                <Link
                  to="/data/$service/$name"
                  params={{ service: "ledger", name: "accounts" }}
                  search={{
                    filter: { kind: `ACCOUNT_KIND_${AccountKind[line.kind]}`, currency },
                    sort: "-balance",
                  }}
                >
                  {AccountKind[line.kind].toLowerCase()}
                </Link>
              </th>
              <td>{money(line.debit)}</td>
              <td>{money(line.credit)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{say.books.inAll}</th>
            <td>{money(debit)}</td>
            <td>{money(credit)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
