'use client';
/** A form's button: says when it is at work, and tells the panel when it is done. */
import { useEffect, useRef, type ReactNode } from 'react';
import { useFormStatus } from 'react-dom';
import { announceChange } from '@/lib/change';

interface Props {
  readonly children: ReactNode;
  readonly className?: string;
  /** For the screen reader, where the text alone does not say enough. */
  readonly label?: string;
  /** In place of the form's own action. */
  readonly formAction?: (form: FormData) => Promise<void>;
}

export function SubmitButton({ children, className = 'button', label, formAction }: Props): ReactNode {
  const { pending } = useFormStatus();
  const wasPending = useRef(false);
  useEffect(() => {
    if (wasPending.current && !pending) announceChange();
    wasPending.current = pending;
  }, [pending]);
  useEffect(
    () => () => {
      // The action led to another page.
      if (wasPending.current) announceChange();
    },
    [],
  );
  return (
    <button
      className={className}
      type="submit"
      aria-disabled={pending}
      aria-label={label}
      formAction={formAction}
    >
      {children}
    </button>
  );
}
