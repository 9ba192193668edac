// A bug throws an Error, and the contract has texts: such an Error would be a trap without a word. As a text
// it is an error of the module that says what went wrong and where.

// The same decisions, which throw nothing but texts.
export function sayingBugs(decisions) {
  const saying = ([name, decide]) => [name, (...question) => asTexts(() => decide(...question))];
  return Object.fromEntries(Object.entries(decisions).map(saying));
}

function asTexts(decide) {
  try {
    return decide();
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    // The first line of the stack is where it was thrown: `validateHostname@src/decisions.js:30:12`.
    throw `${thrown.name}: ${thrown.message} (${thrown.stack.split('\n')[0]})`;
  }
}
