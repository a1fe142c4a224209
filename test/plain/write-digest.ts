// Prints the digest anew, from the oracle.
import { oracle } from "../../src/backends/oracle/oracle.js";
import { cases, halfCases } from "../../src/verify/cases.js";
import { digestFile } from "../../src/verify/digest.js";

console.log(JSON.stringify(digestFile(oracle, [...cases, ...halfCases]), null, 2));
