import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuthService } from "@stoa/sdk/auth";
import { Button, Copy, Dialog } from "@stoa/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Key } from "lucide-react";
import { useState } from "react";

import { Asking, type Said } from "../form/asking.js";
import { useKnown } from "../known.js";
import { stoa } from "../node.js";
import { Asked, When } from "../pages/shared.js";
import { say } from "../strings.js";
import css from "./account.module.css";
import { None, OWN, Remove, Row, Section, Used } from "./row.js";

const auth = stoa.client(AuthService);
const DAY_MS = 24 * 60 * 60 * 1000;

/** Keys of one's own for programs. */
export function Keys() {
  const { userId } = useKnown();
  const [isMaking, make] = useState(false);
  const [token, show] = useState<string>();
  const list = useQuery({
    queryKey: [OWN, "keys"],
    queryFn: async () => (await auth.listApiKeys({ owner: userId, pageSize: 1000 })).apiKeys,
  });
  const { keys } = say.own;
  return (
    <Asked query={list}>
      {(all) => (
        <Section
          title={keys.title}
          about={keys.about}
          tools={
            <Button small onClick={() => make(true)}>
              {keys.create}
            </Button>
          }
        >
          {all.length === 0 ? <None>{keys.none}</None> : null}
          {all.map(({ id, name, permissions, lastUseTime, expireTime }) => (
            <Row
              key={id}
              icon={<Key size={16} aria-hidden />}
              name={name}
              detail={
                <>
                  <code>{permissions.join(" ")}</code>
                  {", "}
                  <Used time={lastUseTime} />
                  {`, ${keys.ends}`} <When time={expireTime} />
                </>
              }
            >
              <Remove
                verb={keys.revoke}
                title={keys.ask(name)}
                lead={keys.revokeLead}
                act={() => auth.revokeApiKey({ id })}
              />
            </Row>
          ))}
          {isMaking ? (
            <Making
              onClose={() => make(false)}
              onMade={(token) => {
                make(false);
                show(token);
              }}
            />
          ) : null}
          {token === undefined ? null : (
            <Dialog
              title={keys.made}
              lead={keys.madeLead}
              isDismissable={false}
              onClose={() => show(undefined)}
            >
              <div className={css.secret}>
                <code>{token}</code>
                <Copy text={token} label={keys.copy} />
              </div>
              <div className={css.foot}>
                <Button kind="primary" onClick={() => show(undefined)}>
                  {keys.kept}
                </Button>
              </div>
            </Dialog>
          )}
        </Section>
      )}
    </Asked>
  );
}

function Making(props: { onClose: () => void; onMade: (token: string) => void }) {
  const { permissions: granted } = useKnown();
  const queries = useQueryClient();
  const { keys } = say.own;
  const create = async ({ name = "", permissions = "", expire_time: days = "" }: Said) => {
    const { token } = await auth.createApiKey({
      name,
      permissions: permissions.split(/[\s,]+/).filter((pattern) => pattern !== ""),
      expireTime: timestampFromMs(Date.now() + Number(days) * DAY_MS),
    });
    await queries.invalidateQueries({ queryKey: [OWN] });
    props.onMade(token);
  };
  return (
    <Dialog title={keys.create} onClose={props.onClose}>
      <Asking
        verb={keys.create}
        isFocused
        act={create}
        isReady={({ expire_time: days }) => Number(days) > 0}
        questions={[
          { name: "name", label: keys.name, help: keys.nameHelp, autoComplete: "off" },
          {
            name: "permissions",
            label: keys.permissions,
            help: keys.permissionsHelp(granted.slice(0, 3).join(" ")),
            autoComplete: "off",
          },
          {
            name: "expire_time",
            label: keys.days,
            value: "30",
            help: keys.daysHelp,
            inputMode: "numeric",
            autoComplete: "off",
          },
        ]}
      />
    </Dialog>
  );
}
