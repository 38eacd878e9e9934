/** A call that meets the end of the stack somewhere inside. Plain JavaScript: fixtures import it on a Node that runs nothing else. */

/** Runs something so many frames from the end of the stack. Rethrows what it throws. */
export function nearTheEnd(run, framesLeft) {
  let unwound = 0;
  let isDone = false;
  const descend = () => {
    try {
      descend();
    } catch (error) {
      if (isDone || !(error instanceof RangeError) || ++unwound < framesLeft) throw error;
      isDone = true;
      run();
    }
  };
  descend();
}
