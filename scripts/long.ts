/** Loaded before each test file by `npm run test:long`: every property that sets no number of its own is tried 5,000 times. */
import fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: 5000 });
