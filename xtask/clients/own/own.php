<?php file_put_contents('php://stderr', "own-php\n");
