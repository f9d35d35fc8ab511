// Express Gateway with the configuration in a folder. Usage: node server.js FOLDER

require("express-gateway")().load(process.argv[2]).run();
