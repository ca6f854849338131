import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Heading, Modal, ModalOverlay, Dialog as Within } from "react-aria-components";

import { Button } from "../button/button.js";
import { say } from "../strings.js";
import css from "./dialog.module.css";

interface Props {
  title: string;
  /** What is asked, or what follows. */
  lead?: ReactNode;
  onClose: () => void;
  /** Whether it goes when somebody presses beside it; not where something is shown once. */
  isDismissable?: boolean;
  children: ReactNode;
}

/** Asks for something, or shows something once, before anything else goes on. */
export function Dialog(props: Props) {
  const { title, lead, onClose, isDismissable = true, children } = props;
  return (
    <ModalOverlay
      isOpen
      isDismissable={isDismissable}
      onOpenChange={onClose}
      className={css.shade ?? ""}
    >
      <Modal className={css.dialog ?? ""}>
        <Within className={css.within ?? ""}>
          <div className={css.head}>
            <Heading slot="title" className={css.title ?? ""}>
              {title}
            </Heading>
            <Button kind="quiet" label={say.close} onClick={onClose}>
              <X size={16} aria-hidden />
            </Button>
          </div>
          <div className={css.body}>
            {lead ? <p className={css.lead}>{lead}</p> : null}
            {children}
          </div>
        </Within>
      </Modal>
    </ModalOverlay>
  );
}
