// Prints test/digest.json anew, from the oracle.
import { oracle } from "../../src/oracle.js";
import { cases, halfCases } from "../cases.js";
import { digestFile } from "../digest.js";

console.log(JSON.stringify(digestFile(oracle, [...cases, ...halfCases]), null, 2));
