//! The shop: four tables and what happens in them.

/// A table of the shop.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) definition: &'static str,
}

/// Something that happens: one transaction.
pub(crate) struct Step {
    /// What a person would say happened.
    pub(crate) title: &'static str,
    /// Its statements, between BEGIN and COMMIT.
    pub(crate) statements: &'static [&'static str],
    /// How many changes it makes; a change of the key is a delete and an insert.
    pub(crate) changes: usize,
}

/// The four tables.
pub(crate) const TABLES: [Table; 4] = [
    Table {
        name: "customers",
        definition: "CREATE TABLE customers (
            id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
            name VARCHAR(100) NOT NULL, email VARCHAR(200) NOT NULL UNIQUE,
            city VARCHAR(60), since YEAR NOT NULL DEFAULT (YEAR(CURRENT_DATE)))",
    },
    Table {
        name: "products",
        definition: "CREATE TABLE products (
            sku VARCHAR(20) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL,
            price DECIMAL(8,2) NOT NULL, stock SMALLINT UNSIGNED NOT NULL,
            tags SET('new','sale','gift') NOT NULL DEFAULT '')",
    },
    Table {
        name: "orders",
        definition: "CREATE TABLE orders (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL,
            status ENUM('new','paid','shipped') NOT NULL DEFAULT 'new',
            total DECIMAL(10,2) NOT NULL,
            placed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))",
    },
    Table {
        name: "order_items",
        definition: "CREATE TABLE order_items (
            order_id BIGINT NOT NULL, line TINYINT UNSIGNED NOT NULL,
            sku VARCHAR(20) NOT NULL, quantity SMALLINT UNSIGNED NOT NULL,
            PRIMARY KEY (order_id, line))",
    },
];

/// What happens, in order. The one that is rolled back must not be seen.
pub(crate) const STEPS: [Step; 14] = [
    Step {
        title: "the shop opens",
        statements: &[
            "INSERT INTO products (sku, name, price, stock) VALUES
            ('LAMP', 'Desk lamp', 39.90, 12), ('MUG', 'Mug', 7.50, 80), ('CHAIR', 'Chair', 149, 4)",
        ],
        changes: 3,
    },
    Step {
        title: "Ada signs up",
        statements: &["INSERT INTO customers (name, email, city)
            VALUES ('Ada Lovelace', 'ada@example.com', 'London')"],
        changes: 1,
    },
    Step {
        title: "Ada orders a lamp and two mugs",
        statements: &[
            "INSERT INTO orders (customer_id, total) VALUES (1, 54.90)",
            "INSERT INTO order_items VALUES (1, 1, 'LAMP', 1), (1, 2, 'MUG', 2)",
            "UPDATE products SET stock = stock - 1 WHERE sku = 'LAMP'",
            "UPDATE products SET stock = stock - 2 WHERE sku = 'MUG'",
        ],
        changes: 5,
    },
    Step {
        title: "Ada pays",
        statements: &["UPDATE orders SET status = 'paid' WHERE id = 1"],
        changes: 1,
    },
    Step {
        title: "Kurt signs up, without a city",
        statements: &["INSERT INTO customers (name, email)
            VALUES ('Kurt Gödel', 'kurt@example.com')"],
        changes: 1,
    },
    Step {
        title: "mugs and lamps are on sale",
        statements: &["UPDATE products SET price = price * 0.9, tags = 'sale' WHERE price < 100"],
        changes: 2,
    },
    Step {
        title: "Kurt orders a chair",
        statements: &[
            "INSERT INTO orders (customer_id, total) VALUES (2, 149)",
            "INSERT INTO order_items VALUES (2, 1, 'CHAIR', 1)",
            "UPDATE products SET stock = stock - 1 WHERE sku = 'CHAIR'",
        ],
        changes: 3,
    },
    Step {
        title: "an order of a hundred lamps is rolled back",
        statements: &[
            "INSERT INTO orders (customer_id, total) VALUES (2, 3591)",
            "INSERT INTO order_items VALUES (3, 1, 'LAMP', 100)",
            "ROLLBACK",
        ],
        changes: 0,
    },
    Step {
        title: "Ada's order is shipped",
        statements: &["UPDATE orders SET status = 'shipped' WHERE id = 1"],
        changes: 1,
    },
    Step {
        title: "Kurt moves to Princeton",
        statements: &["UPDATE customers SET city = 'Princeton' WHERE id = 2"],
        changes: 1,
    },
    Step {
        title: "the mug gets another article number: its key changes",
        statements: &["UPDATE products SET sku = 'MUG-BLUE' WHERE sku = 'MUG'"],
        changes: 2,
    },
    Step {
        title: "Kurt cancels his order",
        statements: &[
            "DELETE FROM order_items WHERE order_id = 2",
            "DELETE FROM orders WHERE id = 2",
            "UPDATE products SET stock = stock + 1 WHERE sku = 'CHAIR'",
        ],
        changes: 3,
    },
    Step {
        title: "Emmy signs up and orders four mugs",
        statements: &[
            "INSERT INTO customers (name, email, city)
                VALUES ('Emmy Noether', 'emmy@example.com', 'Erlangen')",
            "INSERT INTO orders (customer_id, status, total) VALUES (3, 'paid', 27.00)",
            "INSERT INTO order_items VALUES (LAST_INSERT_ID(), 1, 'MUG-BLUE', 4)",
            "UPDATE products SET stock = stock - 4 WHERE sku = 'MUG-BLUE'",
        ],
        changes: 4,
    },
    Step {
        title: "Kurt's account is closed",
        statements: &["DELETE FROM customers WHERE id = 2"],
        changes: 1,
    },
];
