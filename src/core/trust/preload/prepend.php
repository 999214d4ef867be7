<?php
// Leads PHP's streams to the proxy of dockline, unless the program gives them a context of its own. Whatever is missing
// here, the program runs as if this were not there. Understood by PHP from 5.3.
call_user_func(function () {
    if (!function_exists('get_cfg_var') || !function_exists('stream_context_set_default')) {
        return;
    }
    // As the variable was when PHP started: PHP-FPM takes variables away from programs.
    $proxy = parse_url((string) get_cfg_var('dockline.proxy'));
    if (!empty($proxy['host'])) {
        $port = empty($proxy['port']) ? 80 : $proxy['port'];
        $proxy = "tcp://{$proxy['host']}:$port";
        // An absolute target would be sent to servers of HTTPS as well, which need not understand it.
        stream_context_set_default(array('http' => array('proxy' => $proxy, 'request_fulluri' => false)));
    }
});
// The one that is prepended without us.
if (function_exists('get_cfg_var') && !in_array(get_cfg_var('dockline.prepended'), array(false, '', 'none'), true)) {
    require get_cfg_var('dockline.prepended');
}
