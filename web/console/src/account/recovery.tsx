import { AuthService } from "@stoa/sdk/auth";
import { Button, Copy, Dialog, State } from "@stoa/ui";
import { LifeBuoy, Printer } from "lucide-react";

import { stoa } from "../node.js";
import { say } from "../strings.js";
import css from "./account.module.css";
import { Row, useAct } from "./row.js";

const auth = stoa.client(AuthService);
/** So few are left that others should be drawn. */
const FEW = 3;

interface Props {
  left: number;
  /** Whether there is anything that they stand in for. */
  isOf: boolean;
  onDrawn: (codes: readonly string[]) => void;
}

/** Codes on paper, for who lost everything else. */
export function Recovery({ left, isOf, onDrawn }: Props) {
  const drawing = useAct(async () => onDrawn((await auth.generateRecoveryCodes({})).codes));
  const { recovery } = say.own;
  return (
    <Row
      icon={<LifeBuoy size={16} aria-hidden />}
      name={
        <>
          {recovery.name}
          {isOf ? <State mood={left > FEW ? "good" : "warn"}>{recovery.left(left)}</State> : null}
        </>
      }
      detail={isOf ? recovery.detail : recovery.later}
      error={drawing.error}
    >
      {isOf ? (
        <Button small disabled={drawing.isPending} onClick={() => drawing.mutate()}>
          {left > 0 ? recovery.again : recovery.draw}
        </Button>
      ) : null}
    </Row>
  );
}

/** Shows codes once. What is printed is this alone. */
export function Codes(props: { codes: readonly string[]; of: string; onClose: () => void }) {
  const { codes, of, onClose } = props;
  const { recovery } = say.own;
  return (
    <Dialog
      title={recovery.title}
      lead={recovery.lead(of, location.host)}
      isDismissable={false}
      onClose={onClose}
    >
      <ol className={css.codes} aria-label={recovery.name} data-print>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <div className={css.foot}>
        <Copy text={codes.join("\n")} label={recovery.copy} />
        <Button onClick={() => print()}>
          <Printer size={16} aria-hidden />
          {recovery.print}
        </Button>
        <Button kind="primary" onClick={onClose}>
          {recovery.kept}
        </Button>
      </div>
    </Dialog>
  );
}
