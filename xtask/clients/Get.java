import java.net.HttpURLConnection;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** Fetches a page by one of Java's own clients. */
public class Get {
    public static void main(String[] arguments) throws Exception {
        URI page = URI.create(arguments[1]);
        if (arguments[0].equals("url")) {
            HttpURLConnection connection = (HttpURLConnection) page.toURL().openConnection();
            System.out.print(new String(connection.getInputStream().readAllBytes()));
            return;
        }
        HttpRequest request = HttpRequest.newBuilder(page).build();
        System.out.print(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
    }
}
