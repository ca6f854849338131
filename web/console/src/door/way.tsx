import { Button, Failed } from "@stoa/ui";
import { useMutation } from "@tanstack/react-query";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { failure } from "../node.js";

interface Props {
  icon: LucideIcon;
  kind?: "plain" | "primary";
  act: () => Promise<unknown>;
  children: ReactNode;
}

/** One way to prove who one is, by a press of a button; below it, why that did not go. */
export function Way({ icon: Icon, kind = "plain", act, children }: Props) {
  const going = useMutation({ mutationFn: act });
  return (
    <>
      <Button kind={kind} disabled={going.isPending} onClick={() => going.mutate()}>
        <Icon size={16} aria-hidden />
        {children}
      </Button>
      {going.error ? <Failed {...failure(going.error)} /> : null}
    </>
  );
}
